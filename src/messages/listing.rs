//! What operators ask about rooms and peers, and what the supervisor answers. All of it but a room's mesh is in the supervisor, so
//! that no room and no session is asked.
//!
//! A question waits until the one before it is answered (`http/ops/questions.rs`), and looks at [`LOOKED_AT`] names at most:
//! a join waits behind one of them, and no longer than so many take.

use std::{sync::Arc, time::Duration};

use tokio::sync::oneshot;

use super::mesh::MeshAnswer;
use crate::cluster::NodeName;
use crate::protocol::{PeerId, RoomName, SessionId, Who};

/// Rooms and seats that one question looks at, whatever its filters leave of them: a join waits no longer than so
/// many take.
pub const LOOKED_AT: usize = 4096;

/// A question, and where its answer goes.
#[derive(Debug)]
pub enum Question {
    /// A page of rooms.
    Rooms(RoomFilter, oneshot::Sender<Page<RoomView>>),
    /// One room with its members; `None`: there is no such room.
    Room(RoomName, oneshot::Sender<Option<RoomDetails>>),
    /// The mesh of one room, which the room answers; dropped if there is no such room.
    Mesh(RoomName, MeshAnswer),
    /// A page of peers.
    Peers(PeerFilter, oneshot::Sender<Page<SeatView>>),
}

/// Which rooms. All that is said must be true of one.
#[derive(Debug, Clone, Default)]
pub struct RoomFilter {
    /// Those whose names come after this one, byte by byte.
    pub after: Option<String>,
    /// Those whose names begin so.
    pub prefix: String,
    /// Those with so many peers.
    pub min_peers: usize,
    /// Those that are locked, or those that are not.
    pub locked: Option<bool>,
    /// So many of them.
    pub limit: usize,
}

/// Which peers. All that is said must be true of one.
#[derive(Debug, Clone, Default)]
pub struct PeerFilter {
    /// Those in rooms whose names come after this one, byte by byte.
    pub after: Option<String>,
    /// Those in this room.
    pub room: Option<String>,
    /// Those of that digest.
    pub who: Option<Who>,
    /// Those of that user.
    pub user: Option<String>,
    /// So many of them, and all others of the room that the last one is in.
    pub limit: usize,
}

/// A part of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// In order.
    pub items: Vec<T>,
    /// Where the next page begins: after the room of that name. `None`: this is the last.
    pub next: Option<RoomName>,
}

/// A room.
#[derive(Debug)]
pub struct RoomView {
    /// Its name.
    pub name: RoomName,
    /// Peers in it, those that are away included.
    pub peers: usize,
    /// Those that are away.
    pub away: usize,
    /// Whether it lets nobody in.
    pub locked: bool,
    /// How long it has been there.
    pub age: Duration,
}

/// A room and who is in it.
#[derive(Debug)]
pub struct RoomDetails {
    /// The room.
    pub room: RoomView,
    /// In joining order.
    pub members: Vec<SeatView>,
}

/// A peer in a room.
#[derive(Debug)]
pub struct SeatView {
    /// Its public name.
    pub peer: PeerId,
    /// Its session, as the log has it; `None`: it is on another node, whose log has it.
    pub session: Option<SessionId>,
    /// The node that it is connected to, where there are several; `None`: there are not, or its session is on none at present.
    pub node: Option<NodeName>,
    /// Where it is.
    pub room: RoomName,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// The user that its token names, whether or not the others are shown that.
    pub user: Option<Arc<str>>,
    /// How long it has been there.
    pub stayed: Duration,
    /// Whether its client is away, and its seat kept.
    pub away: bool,
}
