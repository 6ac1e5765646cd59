//! What the server says: a [`ServerFrame`] tells what, and [`encode`] is the one place that says how it is written. Another
//! dialect would be a second such place, for the same values.
mod error_body;
mod frames;
mod json;
mod object;
mod welcome;

pub use error_body::ErrorBody;
pub use frames::{ErrorFrame, FrameKind, GrantView, Joined, PeerView, PreparedWelcome, ResumeStatus, ServerFrame};
pub use json::encode;
pub use welcome::{Welcome, WelcomeHeartbeat};
