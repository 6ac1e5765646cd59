//! What a room tells its members, each on its own.

use std::sync::Arc;

use super::{
    event::{NEWS_BYTES, RoomEvent},
    inbox::Load,
};
use crate::protocol::{Meta, PeerId, Who, server::PeerView};

/// What a [`Roster`](super::session::Roster) tells its receiver.
#[derive(Debug, Clone)]
pub enum News {
    /// The receiver itself is in: its first roster. The session completes the `joined` frame from it.
    Joined(Box<Welcomed>),
    /// Something happened to somebody else, or to the room.
    Changed(Arc<RoomEvent>),
    /// The receiver came back and has missed too much: the whole room.
    Resynced(Box<Welcomed>),
    /// The receiver's own `update` was taken, the oldest that was not yet: what it has now.
    Updated(Meta),
    /// The receiver has come through a restart, and is in the room as it was before.
    Restored,
    /// More than one of these, in order.
    Several(Box<Several>),
}

impl News {
    /// What an event is to that member; `None`: nothing that it is to know.
    #[must_use]
    pub fn of(event: &Arc<RoomEvent>, member: PeerId) -> Option<Self> {
        match event.own_update(member) {
            Some(meta) => Some(Self::Updated(meta.clone())),
            None => event.concerns(member).then(|| Self::Changed(Arc::clone(event))),
        }
    }
}

/// What the room has gathered for one member.
#[derive(Debug, Clone)]
pub struct Several {
    /// The events of the whole room, shared by all its members.
    pub events: Arc<[Arc<RoomEvent>]>,
    /// The first of them that the receiver is to know of.
    pub from: usize,
    /// [`News::Joined`] or [`News::Resynced`], and before which of the events it comes.
    pub whole: Option<(usize, News)>,
}

impl Several {
    /// As [`News::load`]; one of the receiver's own that it is not to know of counts, too.
    fn load(&self) -> Load {
        let whole = Load::new(1, NEWS_BYTES);
        let events = self.events[self.from..].iter();
        events.map(|event| Load::frame(event.bytes())).fold(whole, |all, one| all + one)
    }

    /// One by one, as that member, which is the receiver, is to know them.
    pub fn of(self, member: PeerId) -> impl Iterator<Item = News> {
        let Self { events, from, whole } = self;
        let (at, whole) = whole.map_or((from, None), |(at, whole)| (at, Some(whole)));
        let later = Arc::clone(&events);
        let before = (from..at).filter_map(move |at| News::of(&events[at], member));
        before.chain(whole).chain((at..later.len()).filter_map(move |at| News::of(&later[at], member)))
    }
}

impl News {
    /// What it adds to what waits for its receiver, nearly: it is encoded later.
    #[inline]
    pub fn load(&self) -> Load {
        Load::frame(match self {
            Self::Changed(event) => event.bytes(),
            Self::Updated(meta) => NEWS_BYTES + meta.as_str().len(),
            // The receiver's own answer.
            Self::Joined(_) | Self::Resynced(_) => NEWS_BYTES,
            Self::Restored => 0,
            Self::Several(several) => return several.load(),
        })
    }
}

/// What a newcomer is told in `joined`, beside what its session knows itself.
#[derive(Debug, Clone)]
pub struct Welcomed {
    /// The number of the join, as the session gave it in its `Join`.
    pub join_seq: u32,
    /// Everybody else, in joining order.
    pub peers: Vec<PeerView>,
    /// The newcomer's own metadata.
    pub meta: Option<Meta>,
    /// Who it is, if it gave an identity.
    pub who: Option<Who>,
    /// Whether the room is locked.
    pub locked: bool,
}
