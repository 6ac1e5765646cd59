//! Only with the feature `echo`, which no build for use has: a connection that names a certain room in its handshake gets
//! back what it sends, by the same decoder, queue, pump and close handling as all others. What conformance tests talk to.

use actix_http::ws::Message;

use super::shared::SessionShared;
use crate::{
    protocol::RoomName,
    ws::{FrameError, encode},
};

/// Such connections are opened at `/ws?room=/echo`.
const ROOM: &str = "/echo";

/// Marks the connection if it is one. It is sent nothing of the protocol.
pub(super) fn mark(shared: &SessionShared, named: Option<&RoomName>) {
    let echoes = named.is_some_and(|room| room.as_str() == ROOM);
    shared.echoes.set(echoes);
    shared.connection.note(|attachment| attachment.bye_sent = echoes);
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
