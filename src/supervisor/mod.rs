//! The supervisor: one actor for the whole server.
//!
//! - **Owns** the map of rooms, every seat (by the session's name), the caps, and churn.
//! - **Receives** `Join`, `Leave`, `Presence`, `Resume`, `Moderate` from sessions, `StopJoins` and `AllowJoins` from the shutdown, `Look` from
//!   operators, and what they ask to be done to a room.
//! - **Sends** `Admit` and `Remove` to rooms, `JoinFailed` to sessions that it refuses, `Evict` to the peers of a room that
//!   died, its census to the metrics, to the probes how many are here, and to webhooks what happens in rooms. Leaves notes at sessions that a client asks to
//!   resume, and at parked ones that are too many.
//! - **Never** tells a peer who else is in its room (that is the room's), sees a signal, or waits for anybody.
mod actor;
mod address_shares;
mod caps;
mod churn;
mod ended;
mod handover;
mod hooks;
mod identities;
mod joining;
mod listing;
mod moderate;
mod moderate_far;
mod moderation;
mod news;
mod occupancy;
pub mod outcomes;
mod parked;
mod seated;
mod seating;
mod secrets;
mod span;
mod spanning;
pub mod state;
mod users;

pub use actor::{SpawnRoom, Supervisor, SupervisorConfig};
pub use address_shares::Shares;
pub use caps::Caps;
pub use moderation::{ModerationCaps, SeatsOf};
pub use parked::{Excess, ParkedCaps};
pub use span::{OpenPort, SpanConfig};

#[cfg(test)]
mod cluster_fairness;
#[cfg(test)]
mod cluster_scenarios;
#[cfg(test)]
mod fake_hub;
#[cfg(test)]
mod fake_nodes;
#[cfg(test)]
mod moderated;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod replacements;
#[cfg(test)]
mod scenarios;
