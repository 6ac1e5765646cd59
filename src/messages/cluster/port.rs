//! What passes between this process and the thread that speaks to Redis.
//!
//! To the node goes [`Ask`], in the order in which it is to happen; from it comes [`Told`], per room in the order of its log, and
//! all of it on one way: a peer that joined elsewhere is told of before anything that it sends.

use std::sync::Arc;

use actix::Message;

use crate::{
    cluster::NodeName,
    messages::{room::Done, session::JoinError},
    protocol::{LeaveReason, Meta, PeerId, RoomName, SignalKind, TextFrame, Who},
};

/// Names one join of one session until it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JoinTicket(pub u64);

/// What others know of a peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// What it wants the others to know of it.
    pub meta: Option<Meta>,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// The user that its token names, where the others are shown that.
    pub user: Option<Arc<str>>,
}

/// What this process asks of the cluster.
#[derive(Debug)]
pub enum Ask {
    /// A session wants a seat. Answered with [`Told::Granted`] or [`Told::Refused`], exactly once.
    Join(Box<Joining>),
    /// A seat of this node is free.
    Leave {
        /// Where.
        room: RoomName,
        /// Whose.
        peer: PeerId,
        /// What the others are told.
        reason: LeaveReason,
    },
    /// The connection of a peer of this node is gone, its session is not.
    Away {
        /// Where.
        room: RoomName,
        /// Whose.
        peer: PeerId,
        /// Until when it is waited for, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// It has a connection again.
    Back {
        /// Where.
        room: RoomName,
        /// Which peer.
        peer: PeerId,
    },
    /// It wants others to know something else of it.
    Update {
        /// Where.
        room: RoomName,
        /// Which peer.
        peer: PeerId,
        /// The new metadata, whole.
        meta: Meta,
    },
    /// A peer of this node sends something to peers of other nodes.
    Signal(Box<Sending>),
    /// The room is locked, or not.
    Lock {
        /// Where.
        room: RoomName,
        /// Whether it is locked.
        locked: bool,
    },
    /// A person may not join for so long, and loses the seats that it has, on whichever node.
    Ban {
        /// Where.
        room: RoomName,
        /// Who.
        who: Who,
        /// For how long, in milliseconds.
        for_ms: u64,
    },
    /// Peers of other nodes are to be sent away.
    Kick {
        /// Where.
        room: RoomName,
        /// Which ones.
        peers: Vec<PeerId>,
    },
    /// What a peer of this node has from one of another node, to that other node. It is in no log, and may be lost.
    Flow(Flow),
}

/// How it stands with the signals of one peer to another, as the receiver's node says it to the sender's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Where.
    pub room: RoomName,
    /// Who sends, on the node that this is for.
    pub from: PeerId,
    /// Who receives, on the node that says it.
    pub to: PeerId,
    /// What of it.
    pub state: FlowState,
}

/// What the receiver's node says of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowState {
    /// They wait: the receiver has no room for them. Send no more before it has. Said again for as long as it is so.
    Waits,
    /// There is room again.
    Flows,
    /// One was dropped: more of them waited than may. The sender is told `peer_busy`.
    Dropped,
}

/// A session wants a seat.
#[derive(Debug)]
pub struct Joining {
    /// Comes back in the answer.
    pub ticket: JoinTicket,
    /// Where.
    pub room: RoomName,
    /// Which peer.
    pub peer: PeerId,
    /// What the others are to know of it.
    pub profile: Profile,
    /// Whether its session outlives its connection.
    pub resumable: bool,
    /// Whether it takes the seats of its own `who` that are not away, too (`replace: true`).
    pub replaces_present: bool,
    /// How many peers may be in the room, at most: the smaller of `limits.peers_per_room` and its token's cap.
    pub peers_per_room: usize,
    /// `limits.rooms`: how many rooms there may be in the cluster.
    pub rooms: usize,
}

/// A signal for peers of other nodes: one entry of the log, however many they are.
#[derive(Debug)]
pub struct Sending {
    /// Where.
    pub room: RoomName,
    /// Who sends.
    pub from: PeerId,
    /// Who it is for.
    pub to: Vec<PeerId>,
    /// What it is, for the counts.
    pub kind: SignalKind,
    /// As it is written to their sockets.
    pub frame: TextFrame,
    /// Dropped when Redis has it, or when it has failed: until then it is on its sender's account at each receiver.
    pub held: Held,
}

/// Calls back when it is dropped, on whichever thread that is.
pub struct Held(pub Option<Box<dyn FnOnce() + Send>>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

/// From the node's thread to the supervisor, unbounded: what the cluster says. Bounded by its causes: seats, and so many signals
/// under way as their `done` admits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum Told {
    /// That session has a seat. In the log's order: what was told of the room before is before the join, what follows is after it.
    Granted {
        /// Which join.
        ticket: JoinTicket,
        /// The number of its join entry. Of two peers the later one is polite.
        number: u64,
        /// Its own earlier seats that are free now, wherever they were, in joining order.
        replaced: Vec<PeerId>,
        /// When this node knew nothing of the room: who else is there, in joining order, and whether the room is locked.
        room: Option<Box<RoomNow>>,
    },
    /// That session has none.
    Refused {
        /// Which join.
        ticket: JoinTicket,
        /// Why not: `room_full`, `room_limit`, `room_locked`, `banned`, or `unavailable` with a time.
        error: JoinError,
    },
    /// A peer of another node is in the room.
    Joined {
        /// Where.
        room: RoomName,
        /// Who.
        peer: FarPeer,
        /// Own earlier seats that it took, wherever they were.
        replaced: Vec<PeerId>,
    },
    /// A peer is out: of another node; or of this one, and then its session hears why and is in no room any more.
    Left {
        /// Where.
        room: RoomName,
        /// Which peer.
        peer: PeerId,
        /// Why.
        reason: LeaveReason,
    },
    /// A peer of another node is away.
    Away {
        /// Where.
        room: RoomName,
        /// Which peer.
        peer: PeerId,
        /// Until when it is waited for, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// It is back.
    Back {
        /// Where.
        room: RoomName,
        /// Which peer.
        peer: PeerId,
    },
    /// It has other metadata.
    Updated {
        /// Where.
        room: RoomName,
        /// Which peer.
        peer: PeerId,
        /// The new metadata, whole.
        meta: Meta,
    },
    /// The room is locked, or not.
    Locked {
        /// Where.
        room: RoomName,
        /// Whether it is.
        locked: bool,
    },
    /// Something for peers of this node.
    Signal(Box<Receiving>),
    /// Entries were missed and are lost: these peers of this node have a gap, and are to resume with `complete: false`, or to join anew.
    Gap {
        /// Where.
        room: RoomName,
        /// Which peers.
        peers: Vec<PeerId>,
    },
    /// The receiver of a peer's signals is too busy for them, or is not any more.
    Flow(Flow),
    /// A signal did not reach these: Redis is away for longer than signals wait. Its sender is told `unavailable`.
    Unreached {
        /// Where.
        room: RoomName,
        /// Who sent it.
        from: PeerId,
        /// Who it did not reach.
        to: Vec<PeerId>,
    },
}

/// Who else is in a room, when this node comes to know it.
#[derive(Debug)]
pub struct RoomNow {
    /// In joining order.
    pub peers: Vec<FarPeer>,
    /// Whether it is locked.
    pub locked: bool,
}

/// A peer of another node.
#[derive(Debug, Clone, PartialEq)]
pub struct FarPeer {
    /// Which peer.
    pub peer: PeerId,
    /// The node that has its session; none: its session is in the store.
    pub node: Option<NodeName>,
    /// The number of its join entry.
    pub number: u64,
    /// What is known of it.
    pub profile: Profile,
    /// Until when it is waited for, if it is away, in milliseconds since the Unix epoch.
    pub away_until_ms: Option<u64>,
}

/// A signal that came from another node.
#[derive(Debug)]
pub struct Receiving {
    /// Where.
    pub room: RoomName,
    /// Who sent it.
    pub from: PeerId,
    /// Who of this node it is for.
    pub to: Vec<PeerId>,
    /// What it is, for the counts.
    pub kind: SignalKind,
    /// As it is written to their sockets.
    pub frame: TextFrame,
    /// Dropped when the receivers' inboxes have it: so much is under way and no more.
    pub done: Option<Done>,
}

/// Where [`Ask`] goes. Unbounded, since each is bounded by its cause: a seat, a session's own request, or its account at the far
/// peers' inboxes.
#[derive(Debug, Clone)]
pub struct NodePort(tokio::sync::mpsc::UnboundedSender<Ask>);

impl NodePort {
    /// A port, and where what is asked comes out.
    #[must_use]
    pub fn new() -> (Self, tokio::sync::mpsc::UnboundedReceiver<Ask>) {
        let (port, asked) = tokio::sync::mpsc::unbounded_channel();
        (Self(port), asked)
    }

    /// Asks. Says whether the node's thread is there.
    #[must_use]
    pub fn ask(&self, ask: Ask) -> bool {
        self.0.send(ask).is_ok()
    }
}
