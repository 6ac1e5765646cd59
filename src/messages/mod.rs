//! What travels between actors, one file per receiver.
//!
//! Two delivery classes and no third: [`send_unbounded`] (never towards a session), and `try_send` with the refusal
//! handled by the caller. `do_send` ignores a mailbox's bound and says nothing when the receiver is gone, so clippy
//! forbids it everywhere else.
pub mod cluster;
mod event;
#[cfg(feature = "fault-injection")]
pub mod faults;
pub mod handover;
mod inbox;
mod kill_switch;
pub mod listing;
pub mod mesh;
pub mod metrics;
pub mod moderation;
mod news;
mod presence;
mod resume;
pub mod room;
mod send;
pub mod session;
pub mod supervisor;
mod transfer;

pub use event::{PeerChange, RoomChange, RoomEvent};
pub use inbox::{Admission, Bound, Bounds, Busy, Inbox, Load, Mark};
pub use kill_switch::{KillSwitch, Killed, Note, Notes};
pub use presence::PresenceState;
pub use resume::{Asked, GoodSecrets, ResumeRequests, ResumeSecrets, SeatTaken};
pub use send::send_unbounded;
