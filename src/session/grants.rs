//! What a session was granted, for as long as it is in the room that it was granted for: when its client is told that the time
//! is nearly over, and when it is.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    auth::Grant,
    config::Milliseconds,
    protocol::{
        EndReason,
        server::{GrantView, ServerFrame},
    },
};

/// How long before the end a client is told, so that it can renew its token.
const NOTICE: Duration = Duration::from_secs(60);

/// A grant that holds.
pub(super) struct InForce {
    grant: Arc<Grant>,
    /// Whether the client knows that it ends within [`NOTICE`].
    told: Cell<bool>,
}

impl InForce {
    /// From now on; the client is told in this moment.
    pub(super) fn new(grant: Arc<Grant>, now: Instant) -> Self {
        let told = Cell::new(grant.left(now) <= NOTICE);
        Self { grant, told }
    }

    /// What is granted.
    pub(super) fn grant(&self) -> &Arc<Grant> {
        &self.grant
    }

    /// The session's end by it.
    pub(super) fn end(&self) -> (Instant, EndReason) {
        (self.grant.ends, EndReason::TokenExpired)
    }

    /// When its client is to be told, if it is not yet.
    pub(super) fn notice_at(&self) -> Option<Instant> {
        if self.told.get() { None } else { self.grant.ends.checked_sub(NOTICE) }
    }

    /// It is told now.
    pub(super) fn told(&self) -> Arc<Grant> {
        self.told.set(true);
        Arc::clone(&self.grant)
    }
}

/// What its owner is told of it.
pub(super) fn view(grant: &Grant, now: Instant) -> GrantView<'_> {
    GrantView {
        permissions: grant.permissions,
        expires_in_ms: Milliseconds::rounded_down(grant.left(now)).0,
        user: grant.shown_user().map(|user| &**user),
    }
}

/// Most peers that the room takes, as its owner is told.
pub(super) fn capacity(of_room: usize, grant: Option<&Grant>) -> usize {
    grant.and_then(|grant| grant.cap).map_or(of_room, |cap| cap.min(of_room))
}

/// The same as a frame, for a request or for none.
pub(super) fn frame<'a>(grant: &Grant, re: Option<&'a str>, now: Instant) -> ServerFrame<'a> {
    let GrantView { permissions, expires_in_ms, .. } = view(grant, now);
    ServerFrame::Permissions { re, permissions, expires_in_ms }
}
