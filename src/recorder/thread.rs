//! The recordings of the calling thread. A thread on which none were [started](start) records nothing.

use std::{
    any::Any,
    cell::RefCell,
    rc::Rc,
    sync::Weak,
    time::{Duration, Instant},
};

use super::{
    fact::{Fact, What},
    state::{Bounds, Life, Piece, Recording, Recordings},
};
use crate::{
    config::Settings,
    moment::Moment,
    protocol::{PeerId, RoomName},
    telemetry::{self, Event, MemoryStep},
};

/// How threads record.
#[derive(Debug, Clone, Copy)]
pub struct RecorderConfig {
    /// `recorder.enabled`.
    is_enabled: bool,
    /// Of each thread: an equal part of what all together may take.
    bounds: Bounds,
}

impl RecorderConfig {
    /// By the settings. All threads count the time from `began`.
    #[must_use]
    pub fn new(settings: &Settings, began: Instant) -> Self {
        let (recorder, threads) = (&settings.recorder, settings.server.worker_count().max(1));
        let bounds = Bounds {
            room: recorder.room_bytes / threads,
            total: recorder.total_bytes / threads,
            keep: recorder.keep_ms.get(),
            began: began.into(),
        };
        Self { is_enabled: recorder.enabled, bounds }
    }

    /// Whether anything is recorded.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.is_enabled
    }

    /// How long before `now` that was, which a fact has as its time.
    #[must_use]
    pub fn ago(&self, at: u64, now: Instant) -> Duration {
        Moment::from(now).since(self.bounds.began).saturating_sub(Duration::from_nanos(at))
    }

    /// The time that a fact of this moment has.
    #[must_use]
    pub fn time(&self, moment: Instant) -> u64 {
        Moment::from(moment).nanos_since(self.bounds.began)
    }
}

/// Goes on for as long as somebody can reach the room.
#[derive(Debug, Clone)]
pub struct RoomLife(Weak<dyn Any + Send + Sync>);

impl RoomLife {
    /// That of a room that is reached by what this points to.
    #[must_use]
    pub fn new(of: Weak<dyn Any + Send + Sync>) -> Self {
        Self(of)
    }
}

impl Life for RoomLife {
    fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// What the calling thread records of one room.
pub type RoomRecording = Rc<Recording<RoomLife>>;

/// With its `Rc`'s two counts it is in the allocator's class of 160 bytes, and every room that is open has one.
const _: () = assert!(size_of::<Recording<RoomLife>>() <= 160 - 2 * size_of::<usize>());

thread_local! {
    static RECORDINGS: RefCell<Option<Recordings<RoomLife>>> = const { RefCell::new(None) };
}

/// From now on this thread records, if threads are to.
pub fn start(config: &RecorderConfig) {
    RECORDINGS.set(config.is_enabled.then(|| Recordings::new(config.bounds)));
}

fn with<T>(ask: impl FnOnce(&mut Recordings<RoomLife>) -> T) -> Option<T> {
    RECORDINGS.with_borrow_mut(|recordings| recordings.as_mut().map(ask))
}

/// The recording of a room that somebody of this thread is in.
#[must_use]
pub fn open(room: &RoomName, life: RoomLife) -> Option<RoomRecording> {
    with(|recordings| recordings.open(room, life)).flatten()
}

/// The recording of a room that nobody of this thread may be in: somebody was not let in.
#[must_use]
pub fn beside(room: &RoomName, now: Instant) -> Option<RoomRecording> {
    with(|recordings| recordings.beside(room, now)).flatten()
}

/// Records what happened then to a peer, or to the room as such, where there is a recording.
#[inline]
pub fn note(recording: Option<&RoomRecording>, at: impl Into<Moment>, who: Option<PeerId>, what: What) {
    if let Some(recording) = recording {
        let fact = recording.fact(at.into(), who, what);
        if !recording.push(fact) {
            make_room(recording, fact);
        }
    }
}

#[cold]
fn make_room(recording: &RoomRecording, fact: Fact) {
    with(|recordings| recordings.make_room(recording, fact));
}

/// What this thread has recorded of that room.
#[must_use]
pub fn piece(room: &RoomName) -> Option<Piece> {
    with(|recordings| recordings.read(room)).flatten()
}

/// Forgets what was kept for long enough, and tells of what was given up before. `is_late`: the look says nothing of how long ago
/// a room has ended.
pub fn sweep(now: Instant, is_late: bool) {
    let given_up = with(|recordings| {
        recordings.sweep(now, is_late);
        recordings.take_given_up()
    });
    if let Some(recordings @ 1..) = given_up {
        telemetry::emit(&Event::RecordingsGivenUp { recordings });
    }
}

/// What this thread's recordings take, in bytes.
#[must_use]
pub fn held() -> u64 {
    with(|recordings| recordings.used() as u64).unwrap_or_default()
}

/// Gives memory back before anybody loses anything for it: first what is kept of rooms that are over, then all.
pub fn relieve(step: Option<MemoryStep>) {
    with(|recordings| match step {
        None => recordings.relax(),
        Some(step) => recordings.relieve(step > MemoryStep::RefuseConnections),
    });
}
