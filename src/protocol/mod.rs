//! What travels on the wire, version 1. Knows no actor, no socket, no clock.
pub mod client;
mod endings;
pub mod error_texts;
mod errors;
mod features;
mod frame;
#[cfg(test)]
pub(crate) mod histories;
mod ids;
mod kick;
mod kinds;
pub(crate) mod members;
mod meta;
mod permissions;
pub mod plain_text;
mod report;
mod resume;
mod scan;
pub mod server;
mod simd;
#[cfg(test)]
mod tests;
mod who;

pub use endings::{ByeAction, EndReason, LeaveReason, close_code};
pub use errors::{ErrorCategory, ErrorCode, Severity};
pub use features::Feature;
pub use frame::TextFrame;
pub use ids::{PeerId, RandomIds, RoomName, RoomNameError, SessionId};
pub use kick::{BAN_TIME, Kick, Target};
pub use kinds::SignalKind;
pub use meta::Meta;
pub use permissions::Permissions;
pub use plain_text::PlainText;
pub use report::{CandidateType, ClientErrorCode, PairEvent, PairFailure, ReportEvent, ReportKind, ReportedError};
pub use resume::{ResumeSecret, ResumeToken, SecretDigest};
pub use server::{ErrorBody, FrameKind};
pub use who::Who;
