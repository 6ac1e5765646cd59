//! One peer: a WebSocket session, as an actor on our own pump.
//!
//! - **owns** at most one socket, what waits to be written to it, and its view of one room
//! - **receives** its client's frames; `Deliver` from other sessions; `Roster` from its room; `JoinFailed`, `Evict` and
//!   `Moderated` from the supervisor; `Drain` from its arbiter; `TakeSocket` from a session that its client came back to
//! - **sends** frames to its client; `Join`, `Leave`, `Presence`, `Moderate` and `Resume` to the supervisor; `Update`, `Away`, `Back`,
//!   `Resync` and `Report` to its room; `Deliver` and `TakeSocket` to other sessions
//! - **never** parses a signal's `data`, waits (`ctx.wait` would freeze its mailbox), or keeps a timer of its own, but
//!   while a signal of its client's waits for receivers
//!
//! The `WebsocketContext` of actix-web-actors is used, but not the way `ws::start` drives it: as an HTTP response body the
//! actor would freeze whenever its client stops reading. Here `pump` polls the context whatever the socket does.
//!
//! | file | what |
//! |---|---|
//! | [`state`] | the rules: which frame is allowed when, and what follows. No actix, no clock |
//! | `actor` | the shell: the actor, its start and its end |
//! | `requests` | what its client asks: the rules first, then what follows |
//! | `messages` | what other actors send |
//! | `tokens`, `admission`, `grants` | whose token is looked at; what it is good for; what it grants, and for how long |
//! | `ice` | which STUN and TURN servers its client is told of, and how often it may ask |
//! | `client_memory` | what there is to remember of few clients |
//! | `moderating` | a client that moderates its room |
//! | `report` | what a client reports of itself |
//! | `relay` | a signal on its way to one, some or all |
//! | `shared` | what actor, reader, pump and sweep share |
//! | `attachment`, `current_connection` | a connection, and the one that the session has at present |
//! | `closing` | what its client is sent at the end |
//! | [`resume_buffer`], `resume_rules`, `parking`, `resume` | sessions that outlive their socket: what is kept, the rules of what is parked and resumed, how they wait, how they are resumed |
//! | `unconfirmed` | updates that the room has not confirmed |
//! | `waiting` | a connection in no room: how long it may be |
//! | `pauses` | why its reader waits |
//! | `pace` | a token for each frame, taken before it is read, and a price for each byte |
//! | [`reading`], `turns`, `fan_out` | when the sessions of one arbiter may read; whose turn it is while it is busy; how much of a turn a frame is |
//! | [`holdings`], [`relief`] | what sessions hold, and what they give up when memory is nearly used |
//! | `lifetime`, `deadline` | how long a session goes on by itself: deadline, grant, time in no room |
//! | `inbound` | the decoder at its socket |
//! | `busy`, `held_signal` | a signal that waits for receivers with no room for it |
//! | `early` | a signal that came before its receiver could pass it on |
//! | `pump` | the task per connection |
//! | `setup` | what all sessions of an arbiter share |
//! | `open` | a socket on its way to its arbiter, and the session that it gets there |
//! | `registry`, `wheel` | the sessions of one arbiter, by the time at which somebody must look at them |
//! | [`sweep`], [`heartbeat`] | looks at those that are due: heartbeats and deadlines |
//! | [`drain`], `drain_spread` | tells all of them that the server goes, spread over a time |
//! | [`handover`], `return_spread`, `restored` | gives those that can be resumed to the next process; when their clients come back; how they begin there |
mod actor;
mod admission;
#[cfg(test)]
mod admissions;
mod attachment;
mod busy;
mod client_memory;
mod closing;
mod current_connection;
mod deadline;
pub mod drain;
mod drain_spread;
mod early;
#[cfg(feature = "echo")]
mod echo;
mod fan_out;
#[cfg(test)]
mod gathered;
mod grants;
pub mod handover;
pub mod heartbeat;
mod held_signal;
pub mod holdings;
mod ice;
mod inbound;
mod intake;
mod lifetime;
mod messages;
mod moderating;
mod open;
mod pace;
mod parking;
mod pauses;
mod pump;
pub mod reading;
mod registry;
mod relay;
pub mod relief;
#[cfg(test)]
mod replacements;
mod report;
mod requests;
mod restored;
mod resume;
pub mod resume_buffer;
pub mod resume_rules;
mod return_spread;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod scenarios;
mod setup;
mod shared;
#[cfg(test)]
mod sockets;
pub mod state;
#[cfg(test)]
mod stories;
pub mod sweep;
#[cfg(test)]
mod takeovers;
mod tokens;
mod turns;
mod unconfirmed;
mod waiting;
mod wheel;

pub use open::{AcceptedSocket, install, open_at};
pub use restored::restore;
pub use return_spread::{Budget, ReturnSpread};
pub use setup::{Ports, SessionConfig, welcome};
pub use tokens::TokenJudge;
