//! Which requests are answered: so many from each address, and so many from all.

use std::time::Instant;

use crate::{
    limits::{Bucket, Rate, Subnet, Table, table},
    telemetry::StunOutcome,
};

/// The buckets. In all as many as `limits.addresses` allows, whoever asks.
#[derive(Debug)]
pub(super) struct Gate {
    addresses: Table<Bucket>,
    each: Rate,
    all: Bucket,
    total: Rate,
}

impl Gate {
    /// `addresses` is the bound of the table.
    pub(super) fn new(each: Rate, total: Rate, addresses: usize, now: Instant) -> Self {
        Self { addresses: Table::new(addresses, now), each, all: Bucket::full(now), total }
    }

    /// Counts one request of `from`, if it may be answered.
    ///
    /// # Errors
    /// Which limit it met. Who has used up their own takes nothing of what is for all.
    pub(super) fn pass(&mut self, from: Subnet, now: Instant) -> Result<(), StunOutcome> {
        table::take(&mut self.addresses, from, now, self.each, |bucket| bucket)
            .map_err(|_| StunOutcome::AddressLimit)?;
        self.all.take(self.total, now).map_err(|_| StunOutcome::TotalLimit)
    }

    /// Forgets the addresses that have asked for nothing lately.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.addresses.sweep(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn subnet(text: &str) -> Subnet {
        Subnet::of(text.parse().expect("an address"))
    }

    #[test]
    fn an_address_has_its_share_and_all_together_theirs() {
        let start = Instant::now();
        let mut gate = Gate::new(Rate::per_second(1, 3), Rate::per_second(10, 7), 100, start);
        let mut passed = |from: &str, at| gate.pass(subnet(from), at);
        for _ in 0..3 {
            assert_eq!(passed("192.0.2.1", start), Ok(()));
        }
        for _ in 0..50 {
            assert_eq!(passed("192.0.2.1", start), Err(StunOutcome::AddressLimit), "and nothing of all is used up");
        }
        for last in 2..6 {
            assert_eq!(passed(&format!("192.0.2.{last}"), start), Ok(()), "{last}");
        }
        assert_eq!(passed("192.0.2.6", start), Err(StunOutcome::TotalLimit));
        assert_eq!(passed("192.0.2.7", start + Duration::from_millis(100)), Ok(()), "as time goes by");
        assert_eq!(passed("192.0.2.1", start + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn a_flood_from_made_up_addresses_makes_nothing_grow() {
        let start = Instant::now();
        let mut gate = Gate::new(Rate::per_second(1, 1), Rate::per_second(1000, 1000), 64, start);
        let mut refused = 0;
        for number in 0..100_000_u32 {
            refused += u32::from(gate.pass(Subnet::of(std::net::Ipv4Addr::from(number).into()), start).is_err());
        }
        assert!(gate.addresses.addresses() <= 64, "{}", gate.addresses.addresses());
        assert!(refused >= 99_000, "{refused}");
        gate.sweep(start + Duration::from_secs(60));
        assert_eq!(gate.addresses.addresses(), 0);
    }
}
