//! Tokens at a session's door: who is asked for one, who has shown too many bad ones, and what a good one grants. From here on
//! the grant travels, and the token is gone.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    auth::{Grant, KeyRing, Now, Policy, TicketDigest, Tickets, TokenError, verify},
    config::{AuthMode, Settings},
    limits::{Bucket, Rate, Subnet, Table, table},
    protocol::{
        ErrorCode, RoomName,
        client::{BearerToken, ParseLimits},
        error_texts,
    },
    telemetry::{self, LimitHit, TokenOutcome},
};

/// How often addresses without failures worth remembering are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Judges tokens for the sessions of all arbiters.
#[derive(Clone)]
pub struct TokenJudge(Arc<Inner>);

struct Inner {
    mode: AuthMode,
    keys: KeyRing,
    tickets: Tickets,
    policy: Policy,
    rate: Rate,
    /// Shared between threads on purpose: an address has its measure, whichever arbiter its connections are on.
    failures: Mutex<Failures>,
}

struct Failures {
    addresses: Table<Bucket>,
    swept: Instant,
}

/// Why somebody is not let in, or not let do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// A token is asked for, and there is none.
    Missing,
    /// It is a bad one.
    Bad(TokenError),
    /// Its address has shown too many bad ones, or came without one too often: it was not looked at, and will be after this time.
    TooMany(Duration),
}

impl Denied {
    /// What the client is told: the code, its words, and when it may try again.
    pub(super) fn told(self) -> (ErrorCode, &'static str, Option<Duration>) {
        match self {
            Self::Missing => (ErrorCode::Unauthorized, error_texts::TOKEN_MISSING, None),
            Self::Bad(error) => (error.code(), error.message(), None),
            Self::TooMany(wait) => (
                ErrorCode::RateLimited,
                "this address has shown bad tokens, or none, more often than it may: none is looked at until then",
                Some(wait),
            ),
        }
    }

    /// What it counts as.
    pub(super) fn outcome(self) -> TokenOutcome {
        match self {
            Self::Missing => TokenOutcome::Missing,
            Self::TooMany(_) => TokenOutcome::TooMany,
            Self::Bad(error) => match error {
                TokenError::TooLong | TokenError::Malformed => TokenOutcome::Malformed,
                TokenError::Algorithm => TokenOutcome::Algorithm,
                TokenError::UnknownKey => TokenOutcome::UnknownKey,
                TokenError::Signature => TokenOutcome::Signature,
                TokenError::Claims | TokenError::TooLongLived => TokenOutcome::Claims,
                TokenError::Issuer | TokenError::Audience => TokenOutcome::Elsewhere,
                TokenError::NotYet => TokenOutcome::NotYet,
                TokenError::Expired => TokenOutcome::Expired,
                TokenError::Ticket => TokenOutcome::Ticket,
                TokenError::Room | TokenError::Join | TokenError::OtherUser => TokenOutcome::NotPermitted,
            },
        }
    }
}

impl TokenJudge {
    /// For sessions of a server with these settings. `keys` are those in force, `tickets` those that can be redeemed.
    #[must_use]
    pub fn new(settings: &Settings, keys: KeyRing, tickets: Tickets) -> Self {
        let now = Instant::now();
        Self(Arc::new(Inner {
            mode: settings.auth.mode,
            keys,
            tickets,
            policy: Policy::new(settings, ParseLimits::from(settings)),
            rate: Rate::per_minute(settings.auth.failures_per_minute),
            failures: Mutex::new(Failures { addresses: Table::new(settings.limits.addresses, now), swept: now }),
        }))
    }

    /// What the bearer of that token may do in that room, if `may` has nothing against it. The room itself is not asked for:
    /// whether there is one, nobody learns without a good token. Whoever asks says next that it is taken ([`Self::accepted`]), or
    /// that it is another user's ([`Self::other_user`]), where that is only found out elsewhere.
    pub(super) fn grant(
        &self,
        token: &BearerToken<'_>,
        room: &RoomName,
        from: Option<Subnet>,
        may: impl FnOnce(&Grant) -> Result<(), TokenError>,
    ) -> Result<Arc<Grant>, Denied> {
        let now = Now {
            since_epoch: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            instant: Instant::now(),
        };
        self.0.may_try(from, now.instant)?;
        let admits = |grant: &Grant| grant.admits(room).and_then(|()| may(grant));
        let admitted = if let Some(ticket) = TicketDigest::of(token.reveal()) {
            self.0.tickets.redeem(ticket, now.instant, admits)
        } else {
            let grant = verify(token.reveal(), &self.0.keys.keys(), &self.0.policy, now);
            grant.and_then(|grant| admits(&grant).map(|()| Arc::new(grant)))
        };
        admitted.map_err(|error| self.0.failed(Denied::Bad(error), from, now.instant))
    }

    /// What was granted before, if it holds for that room now and `may` has nothing against it. What does not is a failure of its
    /// address like that of any other token.
    pub(super) fn still_admits(
        &self,
        grant: Arc<Grant>,
        room: &RoomName,
        from: Option<Subnet>,
        may: impl FnOnce(&Grant) -> Result<(), TokenError>,
    ) -> Result<Arc<Grant>, Denied> {
        let now = Instant::now();
        let over = if grant.left(now).is_zero() { Err(TokenError::Expired) } else { Ok(()) };
        match over.and_then(|()| grant.admits(room)).and_then(|()| may(&grant)) {
            Ok(()) => Ok(grant),
            Err(error) => Err(self.0.refused(Denied::Bad(error), from, now)),
        }
    }

    /// A token that was good, for a session that may take it.
    pub(super) fn accepted() {
        telemetry::tally(|t| t.tokens.add(TokenOutcome::Accepted));
    }

    /// A token that was good, for a session of somebody else: no better than a bad one.
    pub(super) fn other_user(&self, from: Option<Subnet>) -> Denied {
        self.0.failed(Denied::Bad(TokenError::OtherUser), from, Instant::now())
    }

    /// Whether there is a key to check tokens with, at this moment.
    pub(super) fn takes_tokens(&self) -> bool {
        self.0.keys.has_keys()
    }

    /// Whoever comes without a token: where one is asked for, that is a failure of its address like a bad one.
    pub(super) fn without(&self, from: Option<Subnet>) -> Result<(), Denied> {
        match self.0.mode {
            AuthMode::Token => Err(self.0.refused(Denied::Missing, from, Instant::now())),
            AuthMode::Open => Ok(()),
        }
    }

    /// Most bytes that metadata may have once the grant's is laid over it.
    pub(super) fn meta_bytes(&self) -> usize {
        self.0.policy.meta_bytes()
    }
}

impl Inner {
    /// The time until a token of that address is looked at, if it is not now.
    fn must_wait(&self, from: Subnet, now: Instant) -> Option<Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |tries: &mut Bucket, shares| match tries.wait(self.rate.times(shares), now) {
            Duration::ZERO => Ok(()),
            wait => Err(wait),
        };
        failures.addresses.may(from, now, wait).err()
    }

    /// Whether that address may show a token now.
    fn may_try(&self, from: Option<Subnet>, now: Instant) -> Result<(), Denied> {
        let Some(wait) = from.and_then(|from| self.must_wait(from, now)) else { return Ok(()) };
        telemetry::tally(|t| t.limit_hits.add(LimitHit::AuthFailures));
        Err(Denied::TooMany(wait))
    }

    /// What cost nothing to find out is answered within the same measure.
    fn refused(&self, denied: Denied, from: Option<Subnet>, now: Instant) -> Denied {
        self.may_try(from, now).err().unwrap_or_else(|| self.failed(denied, from, now))
    }

    /// Counts it for its address.
    fn failed(&self, denied: Denied, from: Option<Subnet>, now: Instant) -> Denied {
        if let Some(from) = from {
            self.remember(from, now);
        }
        denied
    }

    fn remember(&self, from: Subnet, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(failures.swept) >= SWEEP_EVERY {
            failures.swept = now;
            failures.addresses.sweep(now);
        }
        // Of several at once, some may have been looked at beyond it: as many as there are threads.
        let _ = table::take(&mut failures.addresses, from, now, self.rate, |tries| tries);
    }
}
