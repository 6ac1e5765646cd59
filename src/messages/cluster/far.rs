//! A peer of another node: to the sessions here a member of their room as all others are, whose mailbox is that of a port to the
//! cluster. Handled in `room/far.rs`.

use std::sync::Arc;

use actix::{Message, Recipient};

use super::{
    asks::{Behind, RoomAsks},
    port::{FlowState, JoinTicket},
};
use crate::{
    messages::{inbox::Bounds, session::Member},
    protocol::{ErrorCode, PeerId},
};

/// A port to a peer of another node is to be opened.
#[derive(Debug)]
pub struct FarInit {
    /// The peer.
    pub peer: PeerId,
    /// Where its room's questions go.
    pub asks: RoomAsks,
}

/// A peer of another node, as it is reached here.
#[derive(Debug, Clone)]
pub struct FarPort {
    /// For those who send to it.
    pub member: Arc<Member>,
    /// For what concerns the port itself.
    pub port: Recipient<ToFar>,
}

/// From the supervisor, unbounded, to the port of a far peer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToFar {
    /// Everything that was posted before this is to be asked for before this is dropped.
    Behind(Behind),
    /// How it stands with what that peer of this node sends.
    Flow {
        /// The sender.
        from: PeerId,
        /// As the receiver's node says.
        state: FlowState,
    },
}

/// A peer of this node that has a seat in a room of a cluster.
#[derive(Debug)]
pub struct Stay {
    /// By which join.
    pub ticket: JoinTicket,
    /// How much may wait for it.
    pub bounds: Bounds,
    /// Where its room's questions go.
    pub asks: RoomAsks,
}

/// Signals of this session's client that were on their way to another node have not arrived.
#[derive(Debug)]
pub struct Unsent {
    /// `unavailable`, or `peer_busy`.
    pub code: ErrorCode,
    /// Who they were for.
    pub peers: Vec<PeerId>,
}
