//! What travels on the wire, version 1. Knows no actor, no socket, no clock.
mod endings;
mod errors;
mod frame;
mod ids;
mod meta;

pub use endings::{ByeAction, EndReason, LeaveReason, close_code};
pub use errors::{ErrorCategory, ErrorCode};
pub use frame::TextFrame;
pub use ids::{PeerId, RoomName, RoomNameError, SessionId};
pub use meta::Meta;
