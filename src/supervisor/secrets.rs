//! How many resume secrets that are wrong one address may try, and may be tried on one session. Pure. Asked only when one is
//! wrong: a right one is never refused because of others.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use crate::{
    limits::{Bucket, Rate, Subnet},
    protocol::SessionId,
};

/// How often those are forgotten of whom nothing is to be remembered.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Who has tried too often, and who was tried too often.
#[derive(Debug)]
pub(super) struct WrongSecrets {
    rate: Rate,
    /// Most that are remembered, of each kind; with more in play the others are not limited.
    most: usize,
    addresses: HashMap<Subnet, Bucket>,
    sessions: HashMap<SessionId, Bucket>,
    swept: Instant,
}

impl WrongSecrets {
    /// `rate`: `limits.resume_secrets`; `most`: `limits.addresses`.
    pub(super) fn new(rate: Rate, most: usize, now: Instant) -> Self {
        Self { rate, most, addresses: HashMap::new(), sessions: HashMap::new(), swept: now }
    }

    /// A wrong secret came.
    ///
    /// # Errors
    /// One too many; the time until the next may come.
    pub(super) fn count(&mut self, session: SessionId, from: Option<Subnet>, now: Instant) -> Result<(), Duration> {
        let Self { rate, most, .. } = *self;
        let by = from.map_or(Ok(()), |from| take(&mut self.addresses, from, rate, most, now));
        let on = take(&mut self.sessions, session, rate, most, now);
        match (by, on) {
            (Ok(()), Ok(())) => Ok(()),
            (by, on) => Err(by.err().max(on.err()).unwrap_or_default()),
        }
    }

    /// Forgets whom there is nothing to remember of, if it is time.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.addresses.retain(|_, bucket| !bucket.is_full(now));
            self.sessions.retain(|_, bucket| !bucket.is_full(now));
        }
    }
}

fn take<K: Eq + Hash>(
    buckets: &mut HashMap<K, Bucket>,
    key: K,
    rate: Rate,
    most: usize,
    now: Instant,
) -> Result<(), Duration> {
    if buckets.len() >= most && !buckets.contains_key(&key) {
        return Ok(());
    }
    buckets.entry(key).or_insert_with(|| Bucket::full(now)).take(rate, now)
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
        assert!(wrong.addresses.is_empty() && wrong.sessions.is_empty());
    }

    #[test]
    fn a_table_that_is_full_limits_whom_it_knows() {
        let now = Instant::now();
        let mut wrong = WrongSecrets::new(Rate::per_minute(1), 1, now);
        let (known, other) = (SessionId::random(), SessionId::random());
        assert!(wrong.count(known, Some(from(1)), now).is_ok());
        assert!(wrong.count(known, Some(from(1)), now).is_err());
        assert!((0..5).all(|_| wrong.count(other, Some(from(2)), now).is_ok()));
    }
}
