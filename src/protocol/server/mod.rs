//! What the server says: one function per frame, each giving the encoded [`TextFrame`](super::TextFrame).
//!
//! Raw pieces (payloads, metadata, rosters) are copied in as text; everything else is escaped.
mod connection;
mod error_body;
mod object;
mod room;

pub use connection::{ErrorFrame, Heartbeat, PreparedWelcome, Welcome, bye, error, pong};
pub use error_body::ErrorBody;
pub use room::{
    Joined, Resumed, joined, left, peer_away, peer_back, peer_joined, peer_left, peer_updated, peers_array,
    room_closed, signal,
};
