//! What has happened in a room since its members were last notified: many changes become one snapshot, and one message to each
//! member, with all news in order. No actix, no clock.
//!
//! They are gathered here and not at the receivers: what a receiver put off would be overtaken by what came behind it in
//! its mailbox, and a signal of somebody who has left meanwhile would be lost.
//!
//! `E` is something that happened, for all members that it concerns, and `W` the whole room as one member saw it at a moment.

use crate::protocol::PeerId;

/// The changes that one message has, at most; then the members are notified, whatever else has come. With metadata as large
/// as may be (`limits.meta_bytes`), 16 are a quarter of what may wait for a client by default (`limits.queue_bytes`): nobody is
/// over that bound because of one message. And more would save little: a snapshot for 16 changes costs next to nothing.
pub const MOST_GATHERED: usize = 16;

/// Something that happened in a room.
pub trait Happening {
    /// Whether that member is notified of it.
    fn concerns(&self, member: PeerId) -> bool;
}

/// What the members have not been sent.
#[derive(Debug)]
pub struct Gathered<E, W> {
    events: Vec<E>,
    wholes: Vec<Whole<W>>,
}

/// The whole room for one member, as it was between two events.
#[derive(Debug)]
struct Whole<W> {
    to: PeerId,
    /// How many events had happened before it.
    at: usize,
    /// Whether it is all that the member is to know of those.
    begins: bool,
    view: W,
}

/// What one member is sent.
#[derive(Debug)]
pub struct ForMember<W> {
    /// Of the events from this one on, those that concern it.
    pub from: usize,
    /// And the whole room, if it is new or has missed too much, with the number of the event that it comes before.
    pub whole: Option<(usize, W)>,
}

impl<E, W> Default for Gathered<E, W> {
    fn default() -> Self {
        Self { events: Vec::new(), wholes: Vec::new() }
    }
}

impl<E: Happening, W> Gathered<E, W> {
    /// Whether everybody has been sent everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.wholes.is_empty()
    }

    /// Whether the members are to be notified before anything else happens.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.events.len().max(self.wholes.len()) >= MOST_GATHERED
    }

    /// Something happened.
    pub fn add(&mut self, event: E) {
        if self.events.capacity() == 0 {
            // Mostly it is the only one.
            self.events.reserve_exact(1);
        }
        self.events.push(event);
    }

    /// A peer is in, and finds the room like this. What it was to be sent of a former membership goes with that.
    pub fn welcome(&mut self, to: PeerId, view: W) {
        self.wholes.retain(|whole| whole.to != to);
        self.add_whole(to, true, view);
    }

    /// A member has missed too much, and finds the room like this. Asked again before it is sent, it is sent once: the first
    /// answer is for all its questions.
    pub fn resync(&mut self, to: PeerId, view: W) {
        if !self.wholes.iter().any(|whole| whole.to == to) {
            self.add_whole(to, false, view);
        }
    }

    fn add_whole(&mut self, to: PeerId, begins: bool, view: W) {
        if self.wholes.capacity() == 0 {
            self.wholes.reserve_exact(1);
        }
        self.wholes.push(Whole { to, at: self.events.len(), begins, view });
    }

    /// What that member is sent. A whole room is handed out once.
    pub fn take_for(&mut self, member: PeerId) -> ForMember<W> {
        match self.wholes.iter().position(|whole| whole.to == member) {
            Some(place) => {
                let Whole { at, begins, view, .. } = self.wholes.swap_remove(place);
                ForMember { from: if begins { at } else { 0 }, whole: Some((at, view)) }
            }
            None => ForMember { from: 0, whole: None },
        }
    }

    /// Of the events from that one on, those that concern that member.
    pub fn events(&self, from: usize, member: PeerId) -> impl Iterator<Item = &E> {
        self.events[from..].iter().filter(move |event| event.concerns(member))
    }

    /// All events, for messages that share them.
    #[must_use]
    pub fn all_events(&self) -> &[E] {
        &self.events
    }
}
