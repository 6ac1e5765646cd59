//! The rules of one thread's recordings: what a room may take, what all may take together, how long a recording is kept after
//! its room, and which is given up first. No clock, no thread.
//!
//! `L` tells whether a room goes on.

use std::{
    borrow::Borrow,
    cell::{Cell, RefCell},
    collections::HashSet,
    fmt,
    hash::{Hash, Hasher},
    rc::Rc,
    time::{Duration, Instant},
};

use super::{
    fact::{Fact, NOBODY, ShortId, What},
    ring::Ring,
};
use crate::{
    moment::Moment,
    protocol::{PeerId, RoomName},
};

/// The part of a room's bytes that is for what an application sends for purposes of its own (one in so many): a game that sends 60
/// positions a second must not push out the offer that was not answered.
const CHATTER_PART: usize = 4;
/// When all bytes are in use, this part of them is given up at once (one in so many): so the search for what to give up is
/// made seldom, however fast rooms open.
const GIVEN_UP_PART: usize = 16;

/// Whether a room goes on.
pub trait Life {
    /// `true` is final.
    fn is_over(&self) -> bool;
}

/// What one thread's recordings may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For one room's facts, in bytes.
    pub room: usize,
    /// For all rooms', with what they need beside facts.
    pub total: usize,
    /// How long a recording is kept after its room.
    pub keep: Duration,
    /// What all threads count the time from.
    pub began: Moment,
}

/// What is recorded of one room on one thread. Shared with whoever records.
pub struct Recording<L> {
    room: RoomName,
    began: Moment,
    rings: RefCell<Rings>,
    /// None: nobody of it was on this thread yet.
    life: Cell<Option<L>>,
    /// Since when the room is known to be over.
    over_since: Cell<Option<Instant>>,
    /// Whether it is one of the thread's still.
    is_listed: Cell<bool>,
}

struct Rings {
    calls: Ring,
    /// Of most rooms there is none.
    chatter: Option<Box<Ring>>,
    /// What that may take, in bytes; no more than fit in here.
    chatter_bytes: u32,
    /// When the newest fact was.
    newest: u64,
}

/// A recording in the table, which finds it by its room's name.
#[derive(Debug)]
struct Named<L>(Rc<Recording<L>>);

impl<L> Borrow<RoomName> for Named<L> {
    fn borrow(&self) -> &RoomName {
        &self.0.room
    }
}

impl<L> Hash for Named<L> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.room.hash(state);
    }
}

impl<L> PartialEq for Named<L> {
    fn eq(&self, other: &Self) -> bool {
        self.0.room == other.0.room
    }
}

impl<L> Eq for Named<L> {}

/// What a thread answers that is asked for a room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// By time, which rises strictly.
    pub facts: Vec<Fact>,
    /// Facts that were forgotten.
    pub lost: u64,
}

impl Rings {
    #[inline]
    fn of(&mut self, what: &What) -> &mut Ring {
        if what.is_chatter() { self.chatter() } else { &mut self.calls }
    }

    fn chatter(&mut self) -> &mut Ring {
        self.chatter.get_or_insert_with(|| Box::new(Ring::new(self.chatter_bytes as usize)))
    }

    fn all(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.calls).chain(self.chatter.as_deref())
    }

    fn each(&mut self, change: impl FnMut(&mut Ring)) {
        std::iter::once(&mut self.calls).chain(self.chatter.as_deref_mut()).for_each(change);
    }

    fn bytes(&self) -> usize {
        self.all().map(Ring::bytes).sum()
    }
}

impl<L> Recording<L> {
    fn new(room: RoomName, bounds: &Bounds) -> Self {
        let chatter_bytes = u32::try_from(bounds.room / CHATTER_PART).unwrap_or(u32::MAX);
        let calls = Ring::new(bounds.room - chatter_bytes as usize);
        let rings = Rings { calls, chatter: None, chatter_bytes, newest: 0 };
        Self {
            room,
            began: bounds.began,
            rings: RefCell::new(rings),
            life: Cell::new(None),
            over_since: Cell::new(None),
            is_listed: Cell::new(true),
        }
    }

    /// What happened then to a peer, or to the room as such.
    #[inline]
    pub(super) fn fact(&self, at: Moment, who: Option<PeerId>, what: What) -> Fact {
        Fact { at: at.nanos_since(self.began), who: who.map_or(NOBODY, ShortId::of), what }
    }

    /// Records a fact. `false`: there has to be [memory](Recordings::make_room) for it first.
    #[inline]
    pub(super) fn push(&self, fact: Fact) -> bool {
        let mut rings = self.rings.borrow_mut();
        let at = fact.at.max(rings.newest + 1);
        let pushed = rings.of(&fact.what).push(Fact { at, ..fact });
        if pushed {
            rings.newest = at;
        }
        pushed
    }

    /// What it takes beside its facts: itself with its two counts, a second ring, the room's name, and its place in a table that is
    /// half full.
    fn overhead(&self) -> usize {
        size_of::<Self>()
            + 2 * size_of::<usize>()
            + size_of::<Ring>()
            + self.room.as_str().len()
            + 2 * (size_of::<Named<L>>() + 1)
    }

    fn bytes(&self) -> usize {
        self.overhead() + self.rings.borrow().bytes()
    }

    fn clear(&self) {
        self.rings.borrow_mut().each(Ring::clear);
    }

    fn piece(&self) -> Piece {
        let rings = self.rings.borrow();
        let mut facts: Vec<_> = rings.all().flat_map(Ring::iter).copied().collect();
        facts.sort_unstable_by_key(|fact| fact.at);
        Piece { facts, lost: rings.all().map(Ring::lost).sum() }
    }
}

impl<L> fmt::Debug for Recording<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recording({})", self.room)
    }
}

impl<L: Life> Recording<L> {
    fn is_over(&self) -> bool {
        let life = self.life.take();
        let is_over = life.as_ref().is_none_or(L::is_over);
        self.life.set(life);
        is_over
    }
}

/// One thread's recordings.
#[derive(Debug)]
pub struct Recordings<L> {
    by_name: HashSet<Named<L>>,
    bounds: Bounds,
    /// What they take, in bytes.
    used: usize,
    /// Whether nothing may grow, because memory is nearly used.
    is_tight: bool,
    /// Whether there was nothing left to give up: until the next sweep nobody looks again, since that takes as long as there are
    /// recordings.
    is_exhausted: bool,
    /// Recordings that were emptied or given up before their time.
    given_up: u64,
}

impl<L: Life> Recordings<L> {
    /// None yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self { by_name: HashSet::new(), bounds, used: 0, is_tight: false, is_exhausted: false, given_up: 0 }
    }

    /// The recording of a room that goes on as long as `life` does; `None`: there is no memory for it.
    pub fn open(&mut self, room: &RoomName, life: L) -> Option<Rc<Recording<L>>> {
        let recording = self.find_or_add(room)?;
        recording.life.set(Some(life));
        recording.over_since.set(None);
        Some(recording)
    }

    /// The recording of a room that nobody of this thread may be in. It is kept as one whose room is over.
    pub fn beside(&mut self, room: &RoomName, now: Instant) -> Option<Rc<Recording<L>>> {
        let recording = self.find_or_add(room)?;
        if recording.is_over() {
            recording.over_since.set(Some(now));
        }
        Some(recording)
    }

    fn find_or_add(&mut self, room: &RoomName) -> Option<Rc<Recording<L>>> {
        if let Some(Named(known)) = self.by_name.get(room) {
            return Some(Rc::clone(known));
        }
        let new = Rc::new(Recording::new(room.clone(), &self.bounds));
        let overhead = new.overhead();
        if !self.has_room(overhead, None) {
            return None;
        }
        self.used += overhead;
        self.by_name.insert(Named(Rc::clone(&new)));
        Some(new)
    }

    /// Records a fact for which there has to be memory first; without it, it takes the place of the oldest, or is lost.
    pub(super) fn make_room(&mut self, recording: &Rc<Recording<L>>, fact: Fact) {
        let growth = recording.rings.borrow_mut().of(&fact.what).growth();
        let grows = recording.is_listed.get() && self.has_room(growth, Some(recording));
        let mut rings = recording.rings.borrow_mut();
        let ring = rings.of(&fact.what);
        if grows {
            ring.grow();
            self.used += growth;
        } else {
            ring.stay();
        }
        drop(rings);
        recording.push(fact);
    }

    /// What is recorded of that room.
    #[must_use]
    pub fn read(&self, room: &RoomName) -> Option<Piece> {
        Some(self.by_name.get(room)?.0.piece())
    }

    /// Forgets what was kept for long enough. A look that comes late has not seen rooms that ended long ago: they are kept as
    /// if they had ended now.
    pub fn sweep(&mut self, now: Instant, is_late: bool) {
        let (keep, mut freed) = (self.bounds.keep, 0);
        self.by_name.retain(|Named(recording)| {
            if !recording.is_over() {
                recording.rings.borrow_mut().each(Ring::may_grow);
                return true;
            }
            if is_late || recording.over_since.get().is_none() {
                recording.over_since.set(Some(now));
            }
            let kept = recording.over_since.get().is_some_and(|since| now.saturating_duration_since(since) < keep);
            if !kept {
                freed += forget(recording);
            }
            kept
        });
        self.used -= freed;
        self.is_exhausted = false;
    }

    /// Memory is nearly used: what is kept of rooms that are over goes, and with `all` what is recorded of the others, too.
    /// Until it [is not](Self::relax), nothing grows.
    pub fn relieve(&mut self, all: bool) {
        self.is_tight = true;
        let known = self.by_name.iter().map(|Named(one)| one);
        let candidates: Vec<_> = known.filter(|one| all || one.over_since.get().is_some()).cloned().collect();
        for one in candidates {
            self.give_up(&one);
        }
    }

    /// There is memory again.
    pub fn relax(&mut self) {
        self.is_tight = false;
    }

    /// What they take, in bytes.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }

    /// Recordings that were given up before their time since this was last asked.
    pub fn take_given_up(&mut self) -> u64 {
        std::mem::take(&mut self.given_up)
    }

    /// Whether so many more bytes may be used. For that, others than `but` are given up: first those whose rooms are over, the
    /// longest first; then those in which nothing has happened for longest.
    fn has_room(&mut self, more: usize, but: Option<&Rc<Recording<L>>>) -> bool {
        if self.is_tight {
            return false;
        }
        let total = self.bounds.total;
        if self.used + more <= total || self.is_exhausted {
            return self.used + more <= total;
        }
        let enough = total.saturating_sub(total / GIVEN_UP_PART).saturating_sub(more);
        let others =
            self.by_name.iter().map(|Named(one)| one).filter(|one| but.is_none_or(|but| !Rc::ptr_eq(one, but)));
        let mut others: Vec<_> = others.map(|one| (rank(one), Rc::clone(one))).collect();
        others.sort_unstable_by_key(|(rank, _)| *rank);
        for (_, one) in others {
            if self.used <= enough {
                break;
            }
            self.give_up(&one);
        }
        self.is_exhausted = self.used + more > total;
        !self.is_exhausted
    }

    /// Forgets one whose room is over, and empties one whose room goes on: somebody holds that.
    fn give_up(&mut self, recording: &Rc<Recording<L>>) {
        let bytes = recording.rings.borrow().bytes();
        self.given_up += u64::from(bytes > 0);
        if recording.over_since.get().is_some() {
            self.used -= forget(recording);
            self.by_name.remove(&recording.room);
        } else {
            recording.clear();
            self.used -= bytes;
        }
    }
}

/// In which order they are given up: rooms that are over first.
fn rank<L>(recording: &Recording<L>) -> (bool, Duration) {
    match recording.over_since.get() {
        Some(since) => (false, Moment::from(since).since(recording.began)),
        None => (true, Duration::from_nanos(recording.rings.borrow().newest)),
    }
}

/// Takes it off the list; what it took. Who holds it yet records nothing more that is kept.
fn forget<L>(recording: &Recording<L>) -> usize {
    let bytes = recording.bytes();
    recording.is_listed.set(false);
    recording.clear();
    bytes
}

#[cfg(test)]
mod properties;
