//! Scenarios: the real program, real sockets. Each file tells one part of what the server promises; `support` is what
//! they are told with.
#![expect(clippy::float_cmp, reason = "metrics are floats, and counts are whole")]
mod abuse;
mod admin;
mod architecture;
mod capacity;
mod comeback;
mod configuration;
mod counts;
mod crowd;
mod deploy;
mod endings;
mod fixtures;
mod frames;
mod handshake;
mod health;
mod heartbeat;
mod invalid;
mod join;
mod limits;
mod log_reader;
mod logs;
mod mesh;
mod relay;
mod requests;
mod resume;
mod room_life;
mod shutdown;
mod slow_reader;
mod sockets;
mod support;
mod takeover;
mod web;
mod wedge;
