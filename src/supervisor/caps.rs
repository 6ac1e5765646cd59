//! What the rules of seats and rooms are held to.

use super::{address_shares::Shares, moderation::ModerationCaps, parked::ParkedCaps};
use crate::config::Settings;

/// The caps. Those of rooms and peers are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// `limits.peers_per_room`.
    pub peers_per_room: usize,
    /// `limits.rooms`.
    pub rooms: usize,
    /// What one address may use of all that.
    pub address: Shares,
    /// How many seats are kept for clients that are away.
    pub parked: ParkedCaps,
    /// How many bans there may be, and how long they and locks are remembered.
    pub moderation: ModerationCaps,
}

impl From<&Settings> for Caps {
    fn from(settings: &Settings) -> Self {
        Self {
            peers_per_room: settings.limits.peers_per_room,
            rooms: settings.limits.rooms,
            address: settings.into(),
            parked: settings.into(),
            moderation: settings.into(),
        }
    }
}
