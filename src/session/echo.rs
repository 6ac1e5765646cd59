//! Only with the feature `echo`, which no build for use has: a path of its own whose connections hear back what they say,
//! by the same decoder, queue, pump and close handling as all others. What conformance tests talk to.

use actix_http::ws::{Message, ProtocolError};

use super::link::{Link, encode};
use crate::protocol::RoomName;

/// Where such connections are opened.
pub const PATH: &str = "/echo";

/// What the handshake says of such a connection to the session: that it named this room.
#[must_use]
pub fn hint() -> Option<RoomName> {
    RoomName::parse(PATH, PATH.len()).ok()
}

/// Marks the connection if it is one. It hears no word of the protocol.
pub(super) fn mark(link: &Link, named: Option<&RoomName>) {
    let echoes = named.is_some() && named == hint().as_ref();
    link.echoes.set(echoes);
    link.note(|wire| wire.said_bye = echoes);
}

/// Sends a message back where it came from, and leaves the session what else there is to handle.
pub(super) fn back(link: &Link, message: Result<Message, ProtocolError>) -> Option<Result<Message, ProtocolError>> {
    match message {
        Ok(message @ (Message::Text(_) | Message::Binary(_))) if link.echoes.get() => {
            link.queue(encode(message));
            None
        }
        other => Some(other),
    }
}
