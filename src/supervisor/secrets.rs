//! How many resume secrets that are wrong one address may try, and may be tried on one session. Pure. Asked only when one is
//! wrong: a right one is never refused because of others.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::{
    limits::{Bucket, Rate, Subnet, Table, table},
    protocol::SessionId,
};

/// How often addresses and sessions without failures worth remembering are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Who has tried too often, and who was tried too often.
#[derive(Debug)]
pub(super) struct WrongSecrets {
    rate: Rate,
    addresses: Table<Bucket>,
    /// Only sessions that have a seat are tried, and an entry is forgotten soon after the last try.
    sessions: HashMap<SessionId, Bucket>,
    /// When both were swept. A full table of addresses sweeps itself at other times.
    swept: Instant,
}

impl WrongSecrets {
    /// `rate`: `limits.resume_secrets`; `most`: `limits.addresses`.
    pub(super) fn new(rate: Rate, most: usize, now: Instant) -> Self {
        Self { rate, addresses: Table::new(most, now), sessions: HashMap::new(), swept: now }
    }

    /// A wrong secret came.
    ///
    /// # Errors
    /// One too many; the time until the next may come.
    pub(super) fn count(&mut self, session: SessionId, from: Option<Subnet>, now: Instant) -> Result<(), Duration> {
        let rate = self.rate;
        let by = from.map_or(Ok(()), |from| table::take(&mut self.addresses, from, now, rate, |tries| tries));
        let on = self.sessions.entry(session).or_insert_with(|| Bucket::full(now)).take(rate, now);
        match (by, on) {
            (Ok(()), Ok(())) => Ok(()),
            (by, on) => Err(by.err().max(on.err()).unwrap_or_default()),
        }
    }

    /// Forgets addresses and sessions without failures worth remembering, if it is time.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.addresses.sweep(now);
            self.sessions.retain(|_, bucket| !bucket.is_full(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> Subnet {
        Subnet::of([192, 0, 2, last].into())
    }

    #[test]
    fn an_address_and_a_session_have_their_measure_each() {
        let start = Instant::now();
        let mut wrong = WrongSecrets::new(Rate::per_minute(2), 10, start);
        let sessions: Vec<_> = (0..4).map(|_| SessionId::random()).collect();
        assert_eq!([0, 1].map(|n| wrong.count(sessions[n], Some(from(1)), start).is_ok()), [true; 2]);
        assert_eq!(
            wrong.count(sessions[2], Some(from(1)), start),
            Err(Duration::from_secs(30)),
            "one address, many sessions"
        );
        assert!(wrong.count(sessions[3], Some(from(2)), start).is_ok());
        assert!(wrong.count(sessions[3], Some(from(3)), start).is_ok());
        assert!(wrong.count(sessions[3], None, start).is_err(), "one session, many addresses");
        wrong.sweep(start + Duration::from_secs(120));
        assert!(wrong.addresses.addresses() == 0 && wrong.sessions.is_empty());
    }

    #[test]
    fn sessions_are_forgotten_although_a_full_table_sweeps_itself() {
        let start = Instant::now();
        let mut wrong = WrongSecrets::new(Rate::per_minute(60), 1, start);
        for second in 0_u8..60 {
            let now = start + Duration::from_secs(second.into());
            let _ = wrong.count(SessionId::random(), Some(from(second)), now);
            wrong.sweep(now);
        }
        assert!(wrong.sessions.len() <= 12, "{} sessions", wrong.sessions.len());
    }

    #[test]
    fn a_table_that_is_full_limits_all_others_together() {
        let now = Instant::now();
        let mut wrong = WrongSecrets::new(Rate::per_minute(1), 1, now);
        let mut count = |last| wrong.count(SessionId::random(), Some(from(last)), now).is_ok();
        assert!(count(1) && !count(1));
        assert!(count(2), "the first of all others");
        assert!((3..9).all(|last| !count(last)));
    }

    #[test]
    fn neighbouring_networks_of_ipv6_share_what_they_may_try() {
        let now = Instant::now();
        let tries = |step: u32| {
            let mut wrong = WrongSecrets::new(Rate::per_minute(2), 1000, now);
            let network = |n: u128| Subnet::of(std::net::Ipv6Addr::from_bits(n << (64 + step)).into());
            (0..100).filter(|n| wrong.count(SessionId::random(), Some(network(*n)), now).is_ok()).count()
        };
        assert_eq!([0, 8, 16].map(tries), [8, 32, 100], "a /56, a /48, each in a /48 of its own");
    }
}
