//! One room: an actor of its own.
//!
//! - **Owns** the members of ONE room, in joining order, and their metadata.
//! - **Receives** `Admit` and `Remove` from the supervisor, `Update`, `Away`, `Back`, `Resync` and `Report` from its sessions.
//! - **Tells** the cluster, where the room spans nodes, what its members say of themselves; and posts them what came from peers of
//!   other nodes ([`far`], `flow`). Those are members as all others are, reached through a port each (`far_port`).
//! - **Sends** `Roster` to its sessions: who is here now, and what happened since the last one; sessions encode it. What
//!   its mailbox holds is handled first, and then sent in one message ([`gather`]).
//! - **Never** counts seats or refuses a peer (that is the supervisor's), sees a signal's payload (sessions deliver those
//!   to each other), or frees a seat: a session whose mailbox is full is ended, and leaves the ordinary way.
mod actor;
mod facts;
mod far;
mod far_port;
mod far_side;
mod flow;
pub mod gather;
pub mod mesh;
mod meshed;
pub mod state;

pub use actor::Room;
pub use far_port::open_port;

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod scenarios;
