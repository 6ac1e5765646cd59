//! What one node says to another past the log.

use super::{
    reader::{Reader, WireError, bad},
    seats::peer_bytes,
};
use crate::{
    messages::cluster::{Flow, FlowState},
    protocol::RoomName,
};

/// Longer names of rooms are no names of ours: `limits.room_name_bytes` is never more.
pub(crate) const ROOM_NAME_BYTES: usize = 4096;

const STATES: [(u8, FlowState); 3] = [(b'w', FlowState::Waits), (b'f', FlowState::Flows), (b'd', FlowState::Dropped)];

pub(crate) fn flow_bytes(flow: &Flow) -> Vec<u8> {
    let mut out = Vec::with_capacity(33 + flow.room.as_str().len());
    out.extend(STATES.iter().find(|(_, state)| *state == flow.state).map(|(letter, _)| *letter));
    out.extend(peer_bytes(flow.from));
    out.extend(peer_bytes(flow.to));
    out.extend(flow.room.as_str().bytes());
    out
}

/// Reads it.
///
/// # Errors
/// [`WireError`]
pub fn flow(bytes: &[u8]) -> Result<Flow, WireError> {
    let mut reader = Reader::new(bytes);
    let letter = reader.byte("a flow")?;
    let state = STATES.iter().find(|(known, _)| *known == letter).ok_or(bad("a flow"))?.1;
    let (from, to) = (reader.peer()?, reader.peer()?);
    Ok(Flow { room: room(reader.rest())?, from, to, state })
}

/// Reads a room's name.
pub(crate) fn room(bytes: &[u8]) -> Result<RoomName, WireError> {
    let text = str::from_utf8(bytes).map_err(|_| bad("a room"))?;
    RoomName::parse(text, ROOM_NAME_BYTES).map_err(|_| bad("a room"))
}
