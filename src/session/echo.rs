//! Only with the feature `echo`, which no build for use has: a path of its own whose connections hear back what they say,
//! by the same decoder, queue, pump and close handling as all others. What conformance tests talk to.

use actix_http::ws::Message;

use super::shared::SessionShared;
use crate::{
    protocol::RoomName,
    ws::{FrameError, encode},
};

/// Where such connections are opened.
pub const PATH: &str = "/echo";

/// What the handshake says of such a connection to the session: that it named this room.
#[must_use]
pub fn hint() -> Option<RoomName> {
    RoomName::parse(PATH, PATH.len()).ok()
}

/// Marks the connection if it is one. It hears no word of the protocol.
pub(super) fn mark(shared: &SessionShared, named: Option<&RoomName>) {
    let echoes = named.is_some() && named == hint().as_ref();
    shared.echoes.set(echoes);
    shared.connection.note(|attachment| attachment.said_bye = echoes);
}

/// Sends a message back where it came from, and leaves the session what else there is to handle.
pub(super) fn back(
    shared: &SessionShared,
    message: Result<Message, FrameError>,
) -> Option<Result<Message, FrameError>> {
    match message {
        Ok(message @ (Message::Text(_) | Message::Binary(_))) if shared.echoes.get() => {
            shared.queue(encode(message));
            None
        }
        other => Some(other),
    }
}
