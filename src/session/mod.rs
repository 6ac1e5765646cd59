//! One peer: a WebSocket session, as an actor on our own pump.
//!
//! - **owns** at most one socket, what waits to be written to it, and its view of one room
//! - **hears** its client's frames; `Deliver` from other sessions; `Roster` from its room; `Evict` from the supervisor;
//!   `Drain` from its arbiter's tick
//! - **says** frames to its client; `Join` and `Leave` to the supervisor; `Update` to its room; `Deliver` to other sessions
//! - **never** parses a signal's `data`, waits (`ctx.wait` would freeze its mailbox), or keeps a timer of its own
//!
//! The card's `WebsocketContext` is used, but not the way `ws::start` drives it: as an HTTP response body the actor would
//! freeze whenever its client stops reading. Here `pump` polls the context whatever the socket does.
//!
//! | file | what |
//! |---|---|
//! | [`state`] | the rules: which frame is allowed when, and what follows. No actix, no clock |
//! | `actor` | the shell: the actor, its start and its end |
//! | `requests` | what its client asks: the rules first, then what follows |
//! | `messages` | what other actors say |
//! | `relay` | a signal on its way to one, some or all |
//! | `shared` | what session, pump and tick share |
//! | `attachment`, `closing` | the connection that it has at present, and what its client hears at the end |
//! | [`resume_buffer`], `parking`, `resume` | sessions that outlive their socket: what is kept, how they wait, how they are resumed |
//! | `waiting` | a connection in no room: how long it may be |
//! | `pace` | a token for each frame, taken before it is read |
//! | `inbound` | the decoder at its socket |
//! | `pump` | the task per connection |
//! | `setup` | what all sessions of an arbiter share |
//! | [`tick`], `wheel` | one sweep per arbiter, of those that are due: heartbeats, deadlines, drain |
mod actor;
mod attachment;
mod closing;
#[cfg(feature = "echo")]
mod echo;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod history;
mod inbound;
mod messages;
mod pace;
mod parking;
#[cfg(test)]
mod properties;
mod pump;
mod relay;
mod requests;
mod resume;
pub mod resume_buffer;
#[cfg(test)]
mod scenarios;
mod setup;
mod shared;
pub mod state;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod takeovers;
pub mod tick;
mod waiting;
mod wheel;

pub use setup::{AcceptedSocket, Ports, SessionConfig, install, open_at, welcome};
