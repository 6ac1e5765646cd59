//! Switchboard: an actor-based signaling server for WebRTC rooms.
//!
//! Browsers join a room over a WebSocket, learn who else is there, exchange offers, answers and ICE candidates, and from
//! then on talk to each other directly. The server never sees their media, and never looks into what they relay.
//!
//! # Layers
//!
//! Imports run downwards only: a test reads this table, and names the line that breaks it.
//!
//! | layer | module | what |
//! |---|---|---|
//! | 0 | [`protocol`] | what clients send and get: ids, client frames, server frames, errors, close codes. No actix |
//! | 0 | [`config`] | the settings, one file per section |
//! | 0 | [`files`] | files and folders that are not for everybody |
//! | 0 | [`late`] | the guard against looks at the clock that come late |
//! | 0 | [`machine`] | what this process may use, and what the kernel uses on its behalf |
//! | 0 | [`moment`] | a moment in eight bytes |
//! | 0 | [`outbound`] | HTTP requests that the server itself makes: one client, which blocks, for threads of their own |
//! | 0 | [`utc`] | times and days, as text |
//! | 1 | [`telemetry`] | one event = one log line + one count |
//! | 1 | [`auth`] | join tokens: verified, and from there on a grant; the keys for that |
//! | 1 | [`ice`] | the STUN and TURN servers that a client is told of, with credentials made for it |
//! | 1 | [`limits`] | token buckets, and what each address may do |
//! | 1 | [`tls`] | certificates, and what TLS handshakes go by |
//! | 1 | [`ws`] | RFC 6455 over one socket: frames to messages and back, what waits to be written |
//! | 1 | [`cluster`] | the rules by which rooms span nodes: no runtime, no clock, no Redis client |
//! | 2 | [`lifecycle`] | the server's phases, the count of its connections, the call to drain |
//! | 2 | [`liveness`] | whether every thread and the supervisor answer: asked once, for all |
//! | 2 | [`memory`] | what is held on behalf of clients, and how far relief goes when it is nearly all that may be |
//! | 2 | [`recorder`] | the flight recorder: per room, what went on between its peers, for who asks afterwards |
//! | 2 | [`store`] | what a restart carries over: sessions, locks and bans, as one private file that is whole or not there |
//! | 2 | [`stun`] | the STUN responder: it tells peers by which address the internet sees them |
//! | 3 | [`webhooks`] | what a program of the operator's is told of rooms, by HTTP: what waits for it, and the threads that deliver it |
//! | 3 | [`ice_checks`] | whether the STUN and TURN servers work that clients are told of |
//! | 3 | [`messages`] | what actors send each other, one file per receiver |
//! | 4 | [`session`] | one peer: its socket, its queue, its view of the room |
//! | 4 | [`room`] | one room: who is in it, in joining order |
//! | 4 | [`supervisor`] | every seat and every room; the caps; churn |
//! | 4 | [`metrics`] | the Prometheus registry |
//! | 4 | [`nodes`] | this process as one node of a cluster: the thread that speaks to Redis |
//! | 5 | [`watchdog`] | ends the process when a thread or the supervisor hangs |
//! | 5 | [`arbiter`], [`cli`] | the list of threads, and the tick of each; the command line |
//! | 6 | [`http`] | the upgrade, the page, the probes, the operator's routes |
//! | 7 | [`shutdown`], [`probe`] | the way out; what a container's health check runs |
//! | 8 | [`app`] | the wiring |
//! | 9 | `lib`, `main` | the crate and the program |
//!
//! Every actor's folder has the same three parts: `mod.rs` says in four points what it owns, receives, sends and never does;
//! `state.rs` has the rules, without actix and without a clock; `actor.rs` is the shell around them.
//!
//! # Path of an offer
//!
//! ```text
//!  browser A      session A                    session B      browser B
//!     |   frame       |                            |              |
//!     |-------------->| inbound: bytes -> text    |              |
//!     |               | parse: envelope checked,   |              |
//!     |               |   `data` left as it is     |              |
//!     |               | state: am I in a room?     |              |
//!     |               | relay: encode once, look   |              |
//!     |               |   B up in the roster       |              |
//!     |               |------- Deliver ----------->|              |
//!     |               |  (B's inbox admits it, or  | state: is A  |
//!     |               |   A waits: see             |  in my room? |
//!     |               |   messages/inbox)          | outbox:queue |
//!     |               |                            |  with bounds |
//!     |               |                            | pump: write  |
//!     |               |                            |------------->|
//! ```
//!
//! One mailbox, at most one thread switch, no room in between: the room keeps every session's roster current, and the
//! sessions relay among themselves.
//!
//! # Where to start reading
//!
//! 1. `docs/protocol.md`: what clients see.
//! 2. [`session`], its `mod.rs` and `state.rs`: what one peer may do.
//! 3. [`supervisor::state`] and [`room::state`]: seats and rosters.
//! 4. [`app`]: who lives where.
//! 5. `session/shared.rs` and `session/current_connection.rs`, `queue` in both: how a slow reader is kept from hurting
//!    anybody else. `session/pump.rs`: what becomes of it then.
#[cfg(all(feature = "fault-injection", not(debug_assertions)))]
compile_error!("fault-injection is for tests: a release build must not have it");

pub mod app;
pub mod arbiter;
pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod files;
pub mod http;
pub mod ice;
pub mod ice_checks;
pub mod late;
pub mod lifecycle;
pub mod limits;
pub mod liveness;
pub mod machine;
pub mod memory;
pub mod messages;
pub mod metrics;
pub mod moment;
pub mod nodes;
pub mod outbound;
pub mod probe;
pub mod protocol;
pub mod recorder;
pub mod room;
pub mod session;
pub mod shutdown;
pub mod store;
pub mod stun;
pub mod supervisor;
pub mod telemetry;
pub mod tls;
pub mod utc;
pub mod watchdog;
pub mod webhooks;
pub mod ws;
