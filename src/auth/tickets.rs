//! Tickets: grants that are kept here and shown by a name that nobody can guess. Each lets one connection in, soon.
//!
//! Shared between threads on purpose: the operator's listener issues them, and sessions of all arbiters redeem them.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    claims::Claims,
    error::TokenError,
    grant::Grant,
    verify::{Now, Policy, granted},
};
use crate::{
    config::Settings,
    protocol::{Permissions, client::ParseLimits},
};

/// How a ticket begins, in the place of a token.
const PREFIX: &str = "ticket.";
/// Random bytes of a ticket.
const SECRET_BYTES: usize = 16;
/// How long a ticket can be redeemed, unless what it grants is over sooner.
pub const LIFE: Duration = Duration::from_secs(60);

/// What is kept of a ticket instead of itself: whoever reads the server's memory cannot use it, and looking it up takes as long
/// for a wrong one as for a right one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TicketDigest([u8; 32]);

impl TicketDigest {
    /// That of a text that is shown as a token; `None`: it is no ticket.
    #[must_use]
    pub fn of(shown: &str) -> Option<Self> {
        shown.strip_prefix(PREFIX).map(|secret| Self(Sha256::digest(secret.as_bytes()).into()))
    }
}

impl fmt::Debug for TicketDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketDigest(hidden)")
    }
}

/// Why no ticket is issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketError {
    /// What it is to grant is refused.
    Refused(TokenError),
    /// As many can be redeemed as may be; one fewer after this time.
    TooMany(Duration),
}

/// The tickets that can be redeemed. Cloning shares them.
#[derive(Clone)]
pub struct Tickets(Arc<Inner>);

struct Inner {
    /// `auth.tickets`.
    most: usize,
    policy: Policy,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    grants: HashMap<TicketDigest, Arc<Grant>>,
    /// When each ends, first the one that ends first; those included that were redeemed before.
    ends: VecDeque<(Instant, TicketDigest)>,
}

impl Tickets {
    /// None yet, for a server with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let policy = Policy::new(settings, ParseLimits::from(settings));
        Self(Arc::new(Inner { most: settings.auth.tickets, policy, open: Mutex::default() }))
    }

    /// A ticket for what these claims grant, which are those of a token, for `ttl` from now on; and how long it can be redeemed.
    ///
    /// # Errors
    /// [`TicketError`].
    pub fn issue(
        &self,
        mut claims: Map<String, Value>,
        ttl: Duration,
        now: Now,
    ) -> Result<(String, Duration), TicketError> {
        // The leeway is for clocks of others.
        if ttl.is_zero() || ttl > self.0.policy.max_ttl() {
            let why = if ttl.is_zero() { TokenError::Expired } else { TokenError::TooLongLived };
            return Err(TicketError::Refused(why));
        }
        let end = now.since_epoch.checked_add(ttl).ok_or(TicketError::Refused(TokenError::TooLongLived))?;
        claims.insert("exp".to_owned(), end.as_secs_f64().into());
        let text = Value::Object(claims).to_string();
        let claims = Claims::read(&text, self.0.policy.bounds()).map_err(TicketError::Refused)?;
        let grant = granted(claims, &self.0.policy, now).map_err(TicketError::Refused)?;
        if !grant.permissions.allow(Permissions::JOIN) {
            return Err(TicketError::Refused(TokenError::Join));
        }
        let secret = random();
        let digest = TicketDigest::of(&secret).expect("it begins as a ticket does");
        self.open().keep(digest, grant, self.0.most, now.instant)?;
        Ok((secret, LIFE.min(ttl)))
    }

    /// The grant that this ticket is for, if `may` has nothing against it: then the ticket is used up.
    ///
    /// # Errors
    /// There is no such ticket (any more), what it grants is over, or what `may` said.
    pub fn redeem(
        &self,
        ticket: TicketDigest,
        now: Instant,
        may: impl FnOnce(&Grant) -> Result<(), TokenError>,
    ) -> Result<Arc<Grant>, TokenError> {
        let mut open = self.open();
        open.forget(now);
        let grant = open.grants.get(&ticket).ok_or(TokenError::Ticket)?;
        if grant.left(now).is_zero() {
            return Err(TokenError::Expired);
        }
        may(grant)?;
        open.grants.remove(&ticket).ok_or(TokenError::Ticket)
    }

    /// How many can be redeemed.
    #[must_use]
    pub fn count(&self, now: Instant) -> usize {
        let mut open = self.open();
        open.forget(now);
        open.grants.values().filter(|grant| !grant.left(now).is_zero()).count()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn keep(&mut self, ticket: TicketDigest, grant: Grant, most: usize, now: Instant) -> Result<(), TicketError> {
        self.forget(now);
        if self.grants.len() >= most {
            // Those whose grant is over sooner than they let nobody in any more.
            self.grants.retain(|_, grant| !grant.left(now).is_zero());
        }
        if self.grants.len() >= most {
            let first = self.ends.iter().find_map(|(end, ticket)| Some((*end).min(self.grants.get(ticket)?.ends)));
            return Err(TicketError::TooMany(first.map_or(LIFE, |end| end.saturating_duration_since(now))));
        }
        if self.ends.len() >= 2 * most {
            // Half of them at least were redeemed.
            self.ends.retain(|(_, ticket)| self.grants.contains_key(ticket));
        }
        self.ends.push_back((now + LIFE, ticket));
        self.grants.insert(ticket, Arc::new(grant));
        Ok(())
    }

    /// Forgets those whose time is over.
    fn forget(&mut self, now: Instant) {
        while self.ends.front().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, ticket)) = self.ends.pop_front() {
                self.grants.remove(&ticket);
            }
        }
    }
}

/// A new ticket's text: 128 bits from the operating system's generator.
fn random() -> String {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).expect("the operating system has random numbers");
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now() -> Now {
        Now { since_epoch: Duration::from_secs(1_790_000_000), instant: Instant::now() }
    }

    fn tickets(most: usize) -> Tickets {
        let mut settings = Settings::default();
        settings.auth.tickets = most;
        Tickets::new(&settings)
    }

    fn claims(claims: Value) -> Map<String, Value> {
        let Value::Object(claims) = claims else { panic!("an object") };
        claims
    }

    fn issue(tickets: &Tickets, now: Now) -> Result<String, TicketError> {
        tickets.issue(claims(json!({"room": "blue", "sub": "ada"})), HOUR, now).map(|(ticket, _)| ticket)
    }

    fn redeem(tickets: &Tickets, ticket: &str, now: Instant) -> Result<Arc<Grant>, TokenError> {
        tickets.redeem(TicketDigest::of(ticket).expect("a ticket"), now, |_| Ok(()))
    }

    #[test]
    fn a_ticket_is_good_once_and_for_a_minute() {
        let (tickets, now) = (tickets(10), now());
        let ticket = issue(&tickets, now).unwrap();
        assert_eq!((ticket.len(), ticket.starts_with(PREFIX)), (PREFIX.len() + 22, true));
        assert_ne!(issue(&tickets, now).unwrap(), ticket);
        assert_eq!((tickets.count(now.instant), tickets.count(now.instant + LIFE / 2)), (2, 2));
        let just_before = now.instant + Duration::from_millis(59_999);
        let grant = redeem(&tickets, &ticket, just_before).unwrap();
        assert_eq!((grant.user.as_deref(), grant.left(now.instant)), (Some("ada"), HOUR));
        assert_eq!(redeem(&tickets, &ticket, just_before).unwrap_err(), TokenError::Ticket);
        assert_eq!(tickets.count(just_before), 1, "one was redeemed");
        let late = issue(&tickets, now).unwrap();
        assert_eq!(tickets.count(now.instant + LIFE), 0);
        assert_eq!(redeem(&tickets, &late, now.instant + LIFE).unwrap_err(), TokenError::Ticket);
        assert!(TicketDigest::of("e30.e30.c2ln").is_none());
        assert_eq!(redeem(&tickets, "ticket.", now.instant).unwrap_err(), TokenError::Ticket);
    }

    #[test]
    fn it_ends_with_what_it_grants_and_makes_room_then() {
        let (tickets, now) = (tickets(1), now());
        let short = LIFE / 4;
        let wish = || claims(json!({"room": "blue"}));
        let (ticket, life) = tickets.issue(wish(), short, now).unwrap();
        assert_eq!(life, short);
        let half = Now { instant: now.instant + short / 2, ..now };
        assert_eq!(tickets.issue(wish(), HOUR, half).unwrap_err(), TicketError::TooMany(short / 2));
        let over = Now { instant: now.instant + short, ..now };
        for _ in 0..2 {
            assert_eq!(redeem(&tickets, &ticket, over.instant).unwrap_err(), TokenError::Expired);
        }
        assert_eq!(tickets.issue(wish(), HOUR, over).unwrap().1, LIFE);
        assert_eq!(redeem(&tickets, &ticket, over.instant).unwrap_err(), TokenError::Ticket);
    }

    #[test]
    fn one_that_is_refused_is_not_used_up() {
        let (tickets, now) = (tickets(10), now());
        let ticket = issue(&tickets, now).unwrap();
        let digest = TicketDigest::of(&ticket).expect("a ticket");
        let refused = tickets.redeem(digest, now.instant, |_| Err(TokenError::Room));
        assert_eq!(refused.unwrap_err(), TokenError::Room);
        assert!(redeem(&tickets, &ticket, now.instant).is_ok());
    }

    #[test]
    fn there_are_so_many_and_each_that_goes_makes_room() {
        let (tickets, now) = (tickets(3), now());
        let all: Vec<String> = (0..3).map(|_| issue(&tickets, now).unwrap()).collect();
        let later = Now { instant: now.instant + LIFE / 3, ..now };
        assert_eq!(issue(&tickets, later).unwrap_err(), TicketError::TooMany(LIFE / 3 * 2));
        assert!(redeem(&tickets, &all[1], later.instant).is_ok());
        assert!(issue(&tickets, later).is_ok());
        assert!(issue(&tickets, later).is_err());
        let over = Now { instant: now.instant + LIFE, ..now };
        assert_eq!((0..4).filter(|_| issue(&tickets, over).is_ok()).count(), 2, "one of those before is open still");
        for _ in 0..1000 {
            let last = Now { instant: now.instant + 2 * LIFE, ..now };
            let ticket = issue(&tickets, last).unwrap();
            redeem(&tickets, &ticket, last.instant).unwrap();
        }
        assert!(tickets.open().ends.len() <= 6, "those that were redeemed are not kept");
    }

    #[test]
    fn what_no_token_may_say_is_no_ticket() {
        let (tickets, now) = (tickets(10), now());
        for (wrong, why) in [
            (json!({}), TokenError::Claims),
            (json!({"room": "a", "rooms": ["b"]}), TokenError::Claims),
            (json!({"room": "a", "cap": 0}), TokenError::Claims),
            (json!({"room": "a", "meta": "x".repeat(5000)}), TokenError::Claims),
            (json!({"room": "a", "perms": ["signal"]}), TokenError::Join),
        ] {
            let refused = tickets.issue(claims(wrong.clone()), HOUR, now);
            assert_eq!(refused.unwrap_err(), TicketError::Refused(why), "{wrong}");
        }
        for long in [48 * HOUR, Duration::MAX] {
            let refused = tickets.issue(claims(json!({"room": "a"})), long, now);
            assert_eq!(refused.unwrap_err(), TicketError::Refused(TokenError::TooLongLived));
        }
    }
}
