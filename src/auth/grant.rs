//! What a token grants.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::error::TokenError;
use crate::protocol::{Meta, Permissions, RoomName};

/// What was read of a good token. It travels in the token's place.
#[derive(Debug, PartialEq, Eq)]
pub struct Grant {
    /// Where it holds.
    pub(super) rooms: RoomRule,
    /// What its owner may do there.
    pub permissions: Permissions,
    /// Most peers that the room may have, its owner included, for it to be let in.
    pub cap: Option<usize>,
    /// Laid over whatever metadata its owner brings.
    pub(super) meta: Option<Meta>,
    /// The user that it names.
    pub user: Option<Arc<str>>,
    /// Whether the others are shown that.
    pub(super) shows_user: bool,
    /// When it ends, by a clock that nobody sets.
    pub ends: Instant,
}

/// Which rooms a grant holds in. Names are compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RoomRule {
    /// In these.
    OneOf(Vec<Box<str>>),
    /// In all whose names begin so.
    Prefix(Box<str>),
}

impl Grant {
    /// Whether its owner may join that room.
    ///
    /// # Errors
    /// [`TokenError::Room`] or [`TokenError::Join`].
    pub fn admits(&self, room: &RoomName) -> Result<(), TokenError> {
        let holds = match &self.rooms {
            RoomRule::OneOf(names) => names.iter().any(|name| **name == *room.as_str()),
            RoomRule::Prefix(prefix) => room.as_str().as_bytes().starts_with(prefix.as_bytes()),
        };
        match (holds, self.permissions.allow(Permissions::JOIN)) {
            (false, _) => Err(TokenError::Room),
            (true, false) => Err(TokenError::Join),
            (true, true) => Ok(()),
        }
    }

    /// The user, where the others are shown it.
    #[must_use]
    pub fn shown_user(&self) -> Option<&Arc<str>> {
        self.user.as_ref().filter(|_| self.shows_user)
    }

    /// The owner's metadata as the room is to have it.
    #[must_use]
    pub fn overlay(&self, meta: Option<Meta>) -> Option<Meta> {
        match (meta, &self.meta) {
            (Some(below), Some(top)) => Some(below.under(top)),
            (None, Some(top)) => Some(top.clone()),
            (meta, None) => meta,
        }
    }

    /// For how long it holds from then on.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.ends.saturating_duration_since(now)
    }
}
