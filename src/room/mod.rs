//! One room: an actor of its own.
//!
//! - **Owns** the members of ONE room, in joining order, and their metadata.
//! - **Receives** `Admit` and `Remove` from the supervisor, `Update`, `Away`, `Back`, `Resync` and `Report` from its sessions.
//! - **Sends** `Roster` to its sessions: who is here now, and what happened since the last one; sessions encode it. What
//!   its mailbox holds is handled first, and then sent in one message ([`gather`]).
//! - **Never** counts seats or refuses a peer (that is the supervisor's), sees a signal's payload (sessions deliver those
//!   to each other), or frees a seat: a session whose mailbox is full is ended, and leaves the ordinary way.
mod actor;
mod facts;
pub mod gather;
pub mod mesh;
mod meshed;
pub mod state;

pub use actor::Room;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod scenarios;
