//! What travels between the parts of the simulation, and to a client.

use std::{collections::BTreeSet, sync::Arc};

use switchboard::{
    messages::session::Snapshot,
    protocol::{PeerId, ResumeSecret},
};

/// A session, by number: each is used for one connection only, and those that resume it.
pub(super) type Who = usize;
/// A room actor, by number: each is used for one room only.
pub(super) type RoomId = usize;
/// A session by one of its joins: what the supervisor and a room know of it.
pub(super) type Guest = (Who, u32);
/// A room as its sessions have it.
pub(super) type Picture = Arc<Snapshot<Guest, RoomId>>;

/// What one client sends to all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) from: PeerId,
    pub(super) number: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum ToSupervisor {
    /// To that room, in the place of those that are connected or not.
    Join(Guest, usize, bool),
    Leave(Who),
    Presence(Who),
    /// Of that session, from the connection that its client comes back with.
    Resume(Who),
}

impl ToSupervisor {
    /// The session that it is from; `None`: one that has nothing else to send.
    pub(super) fn sender(&self) -> Option<Who> {
        match *self {
            Self::Join((who, _), _, _) | Self::Leave(who) | Self::Presence(who) => Some(who),
            Self::Resume(_) => None,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum ToRoom {
    /// With those in whose place it comes.
    Admit(Guest, Vec<Who>),
    Remove(Who),
    Away(Who),
    Back(Who),
    Resync(Guest),
}

/// What a roster tells.
#[derive(Debug, Clone)]
pub(super) enum News {
    Joined(u32, BTreeSet<PeerId>),
    Resynced(BTreeSet<PeerId>),
    Came(PeerId),
    Left(PeerId),
    /// Somebody is away, or back.
    Presence,
}

#[derive(Debug, Clone)]
pub(super) enum ToSession {
    /// With all that has happened since the last one.
    Roster(Picture, Vec<News>),
    Deliver(Signal),
    JoinFailed(u32),
    Evict(u32),
    /// The socket of a client that comes back with this secret, and has handled so many frames.
    TakeSocket(ResumeSecret, u64),
}

/// What a client hears.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Joined(BTreeSet<PeerId>, ResumeSecret),
    /// With the whole room, where the resume is not complete.
    Resumed(Option<BTreeSet<PeerId>>, ResumeSecret),
    Came(PeerId),
    Left(PeerId),
    Presence,
    Signal(Signal),
    /// Its own `leave` was granted.
    LeftRoom,
    RoomClosed,
}

/// What follows from what a session has handled.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    ToSupervisor(ToSupervisor),
    ToRoom(RoomId, ToRoom),
    /// The session is over.
    Over,
}
