//! What a connection has read on its address's account.

use std::time::{Duration, Instant};

use super::{addresses::Addresses, subnet::Subnet};

/// Bytes that a connection reads before its address is charged with them: the table of addresses has a lock, which is not
/// to be taken for each frame. What an address may send is exceeded by no more than that for each of its connections.
pub const CHARGED_FROM: u32 = 16 * 1024;

/// What one connection has read and its address is not charged with yet.
#[derive(Debug, Default)]
pub struct Uncharged(u32);

impl Uncharged {
    /// So many bytes were read. Whether it is time to [charge](Self::charge) them.
    #[inline]
    pub fn read(&mut self, bytes: u32) -> bool {
        self.0 = self.0.saturating_add(bytes);
        self.0 >= CHARGED_FROM
    }

    /// Charges the address. The time that nothing more is to be read from this connection, where the address, or a network
    /// that it is in, has sent more than it may.
    pub fn charge(&mut self, addresses: &Addresses, from: Subnet, now: Instant) -> Option<Duration> {
        let wait = addresses.bytes(from, std::mem::take(&mut self.0), now);
        (!wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::{prop, prop_assert, proptest};

    use super::*;
    use crate::config::Settings;

    /// As much as one read takes, at most, and as much where the connection is told to wait.
    const READ: u32 = 64 * 1024;
    const SHORT_READ: u32 = 4 * 1024;

    /// A connection as a session reads it.
    #[derive(Default)]
    struct Reader {
        uncharged: Uncharged,
        until: Option<Instant>,
        waited: u32,
    }

    impl Reader {
        /// Reads what is there, if it may; how much.
        fn read(&mut self, there: u32, addresses: &Addresses, from: Subnet, now: Instant) -> u32 {
            if self.until.is_some_and(|until| until > now) {
                self.waited += 1;
                return 0;
            }
            let read = there.min(if self.until.is_some() { SHORT_READ } else { READ });
            if self.uncharged.read(read) || self.until.is_some() {
                self.until = self.uncharged.charge(addresses, from, now).map(|wait| now + wait);
            }
            read
        }
    }

    fn addresses(per_second: usize, burst: usize, now: Instant) -> Addresses {
        let mut settings = Settings::default();
        (settings.limits.byte_rate_per_address, settings.limits.byte_burst_per_address) = (per_second, burst);
        Addresses::new((&settings).into(), now)
    }

    fn from(last: u8) -> Subnet {
        Subnet::of(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    proptest! {
        #[test]
        fn connections_of_an_address_send_no_more_than_it_may_and_a_slice_each(
            steps in prop::collection::vec((0..8_usize, 0..100_000_u32, 0..30_u64), 1..400),
        ) {
            let start = Instant::now();
            let addresses = addresses(1_000_000, 500_000, start);
            let mut readers: [Reader; 8] = Default::default();
            let (mut now, mut total) = (start, 0_u64);
            for (who, there, pause) in steps {
                now += Duration::from_millis(pause);
                total += u64::from(readers[who].read(there, &addresses, from(1), now));
                let may = 500_000 + u64::try_from((now - start).as_micros()).unwrap();
                prop_assert!(total <= may + 8 * u64::from(CHARGED_FROM + READ));
            }
        }

        #[test]
        fn who_stays_within_the_budget_never_waits_whatever_other_addresses_send(
            steps in prop::collection::vec((0..8_usize, 0..4000_u32), 1..300),
        ) {
            let mut now = Instant::now();
            let addresses = addresses(1_000_000, 200_000, now);
            let mut readers: [Reader; 8] = Default::default();
            let mut flooder = Reader::default();
            for (who, there) in steps {
                now += Duration::from_millis(4);
                readers[who].read(there, &addresses, from(1), now);
                flooder.read(READ, &addresses, from(2), now);
            }
            prop_assert!(readers.iter().all(|reader| reader.waited == 0));
        }
    }

    #[test]
    fn all_that_wait_for_their_address_are_read_in_equal_parts() {
        let start = Instant::now();
        let addresses = addresses(1_000_000, 100_000, start);
        let mut readers: [Reader; 8] = Default::default();
        let mut parts = [0_u64; 8];
        for ms in 0..20_000 {
            for (reader, part) in readers.iter_mut().zip(&mut parts) {
                *part += u64::from(reader.read(READ, &addresses, from(1), start + Duration::from_millis(ms)));
            }
        }
        let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
        assert!(most - least <= 2 * u64::from(READ), "{parts:?}");
        assert!((19_900_000..21_500_000).contains(&parts.iter().sum::<u64>()), "{parts:?}");
    }
}
