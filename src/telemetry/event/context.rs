//! The request, session, peer and room that an event concerns.

use slog::Serializer;

use super::{request_id::RequestId, source::Source};
use crate::protocol::{PeerId, RoomName, SessionId};

/// What an event concerns, as far as it is known where it happens. Every sink reads it the same way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The HTTP request, or the one that a connection began with.
    pub(in crate::telemetry) request: Option<&'a RequestId>,
    pub(in crate::telemetry) session: Option<SessionId>,
    pub(in crate::telemetry) peer: Option<PeerId>,
    pub(in crate::telemetry) room: Option<&'a RoomName>,
    /// Where its client is. Not in the event's own line (`connection_opened` has it); what a client repeats is gathered by it.
    pub(in crate::telemetry) source: Option<Source>,
}

impl<'a> Context<'a> {
    /// An HTTP request.
    #[must_use]
    pub fn of_request(request: &'a RequestId) -> Self {
        Self { request: Some(request), ..Self::default() }
    }

    /// A session, the request that its connection began with, and where its client is.
    #[must_use]
    pub fn of_session(request: &'a RequestId, session: SessionId, source: Source) -> Self {
        Self { request: Some(request), session: Some(session), source: Some(source), ..Self::default() }
    }

    /// A room, and where the peer is that opened or ended it.
    #[must_use]
    pub fn of_room(room: &'a RoomName, source: Option<Source>) -> Self {
        Self { room: Some(room), source, ..Self::default() }
    }

    /// The same as a peer.
    #[must_use]
    pub fn as_peer(self, peer: PeerId) -> Self {
        Self { peer: Some(peer), ..self }
    }

    /// The same in a room, if it is in one.
    #[must_use]
    pub fn within(self, room: Option<&'a RoomName>) -> Self {
        Self { room, ..self }
    }

    /// What is known, each under its key.
    pub(super) fn serialize(&self, out: &mut dyn Serializer) -> slog::Result {
        if let Some(request) = self.request {
            request.text(|request| out.emit_str("request_id", request))?;
        }
        if let Some(session) = self.session {
            out.emit_str("session_id", session.encode(&mut [0; SessionId::TEXT_BYTES]))?;
        }
        if let Some(peer) = self.peer {
            out.emit_str("peer_id", peer.encode(&mut [0; PeerId::TEXT_BYTES]))?;
        }
        if let Some(room) = self.room {
            out.emit_str("room", room.as_str())?;
        }
        Ok(())
    }
}
