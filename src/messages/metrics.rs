//! Messages to the metrics actor. Handled in `metrics/actor.rs`.

use actix::Message;

use super::supervisor::Census;
use crate::telemetry::{CensusReport, Tally};

/// From every arbiter's shared tick, may be refused (the tally is kept and merged into the next): what was counted on
/// one thread since the last one.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Record(pub Box<Tally>);

impl From<Census> for CensusReport {
    /// The census as it is now: how the supervisor puts it into its thread's tally.
    fn from(census: Census) -> Self {
        Self {
            at: std::time::SystemTime::now(),
            rooms: census.rooms,
            peers: census.peers,
            users: census.users,
            joins_per_minute: census.joins_per_minute,
            leaves_per_minute: census.leaves_per_minute,
            locked_rooms: census.locked_rooms,
            bans: census.bans,
            ban_bytes: census.ban_bytes,
            occupancy: census.occupancy,
        }
    }
}
