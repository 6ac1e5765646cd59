//! What goes to Redis and comes back, as bytes. What comes is input: it is bounded, and what makes no sense is a [`WireError`], which
//! costs one entry or one answer and nothing else.
//!
//! The script (`script/`) reads only what it must: lengths are written in hex digits, since Lua knows no other numbers that are
//! exact and have one length.

mod entries;
mod flows;
mod reader;
mod replies;
mod seats;

pub(super) use self::{
    entries::letter,
    flows::{flow_bytes, room},
    reader::hex,
    seats::peer_bytes,
};
pub use self::{
    entries::{LogEntry, Sent, entry, signal_payload},
    flows::flow,
    reader::WireError,
    replies::{BeatReply, JoinReply, Reply, Value, reply},
    seats::{owner, owner_bytes, seat, seat_bytes},
};

/// Changes with what stands in Redis: nodes of two formats are not one cluster, and the later one says so.
pub const FORMAT: &str = "1";

#[cfg(test)]
mod tests;
