//! Recordings against a naive model: what is held to the byte, what is lost, what is kept and for how long.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Just, Strategy, any, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::{
    protocol::SignalKind,
    recorder::fact::{Blocks, FACT_BYTES},
    telemetry::RelayOutcome,
};

const KEEP: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
struct Switch(Rc<Cell<bool>>);

impl Life for Switch {
    fn is_over(&self) -> bool {
        self.0.get()
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Open(usize),
    Refuse(usize),
    Record(usize, bool, usize),
    End(usize),
    Sweep { seconds: u64, is_late: bool },
    Relieve(bool),
    Relax,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let room = 0_usize..6;
    let step = prop_oneof![
        4 => room.clone().prop_map(Step::Open),
        1 => room.clone().prop_map(Step::Refuse),
        12 => (room.clone(), any::<bool>(), 1_usize..30).prop_map(|(room, app, times)| Step::Record(room, app, times)),
        2 => room.prop_map(Step::End),
        3 => (0_u64..40, prop::bool::weighted(0.1)).prop_map(|(seconds, is_late)| Step::Sweep { seconds, is_late }),
        1 => any::<bool>().prop_map(Step::Relieve),
        1 => Just(Step::Relax),
    ];
    prop::collection::vec(step, 1..60)
}

fn name(room: usize) -> RoomName {
    RoomName::parse(&"r".repeat(room + 1), 64).expect("a name")
}

fn what(is_app: bool) -> What {
    if is_app {
        let (kind, outcome) = (SignalKind::App, RelayOutcome::Delivered);
        What::Signal { to: NOBODY, kind, size: Blocks::of(100), outcome }
    } else {
        What::RoomClosed
    }
}

/// What the model knows of a room while somebody is in it.
struct Inside {
    recording: Rc<Recording<Switch>>,
    life: Switch,
}

/// What was recorded of a room since its recording was made: when, and whether it was of kind `app`.
#[derive(Default)]
struct Recorded(Vec<(u64, bool)>);

struct World {
    now: Instant,
    recordings: Recordings<Switch>,
    bounds: Bounds,
    inside: BTreeMap<usize, Inside>,
    recorded: BTreeMap<usize, Recorded>,
    /// Since when the model knows a room to be over.
    over: BTreeMap<usize, Instant>,
}

impl World {
    fn new(room: usize, total: usize) -> Self {
        let began = Instant::now();
        let bounds = Bounds { room, total, keep: KEEP, began: began.into() };
        let (inside, recorded, over) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { now: began, recordings: Recordings::new(bounds), bounds, inside, recorded, over }
    }

    fn listed(&self) -> BTreeSet<usize> {
        (0..6).filter(|room| self.recordings.read(&name(*room)).is_some()).collect()
    }

    fn play(&mut self, step: Step) {
        self.now += Duration::from_millis(1);
        let before = self.listed();
        match step {
            Step::Open(room) => {
                let life = Switch(Rc::default());
                if let Some(recording) = self.recordings.open(&name(room), life.clone()) {
                    self.inside.insert(room, Inside { recording, life });
                    self.over.remove(&room);
                }
            }
            Step::Refuse(room) => {
                if let Some(recording) = self.recordings.beside(&name(room), self.now) {
                    self.record(room, &recording, false);
                    if !self.inside.contains_key(&room) {
                        self.over.insert(room, self.now);
                    }
                }
            }
            Step::Record(room, is_app, times) => {
                let Some(inside) = self.inside.get(&room) else { return };
                let recording = Rc::clone(&inside.recording);
                (0..times).for_each(|_| self.record(room, &recording, is_app));
            }
            Step::End(room) => _ = self.inside.remove(&room).map(|inside| inside.life.0.set(true)),
            Step::Sweep { seconds, is_late } => {
                self.now += Duration::from_secs(seconds);
                self.recordings.sweep(self.now, is_late);
                self.sweep(&before, is_late);
            }
            Step::Relieve(all) => self.recordings.relieve(all),
            Step::Relax => self.recordings.relax(),
        }
        // What is listed no longer begins anew.
        let after = self.listed();
        self.recorded.retain(|room, _| after.contains(room));
        self.over.retain(|room, _| after.contains(room));
    }

    fn record(&mut self, room: usize, recording: &Rc<Recording<Switch>>, is_app: bool) {
        let fact = recording.fact(self.now.into(), None, what(is_app));
        if !recording.push(fact) {
            self.recordings.make_room(recording, fact);
        }
        let at = recording.rings.borrow().newest;
        self.recorded.entry(room).or_default().0.push((at, is_app));
    }

    /// Nothing is forgotten before its time, nor by a late look, and everything after it.
    fn sweep(&mut self, before: &BTreeSet<usize>, is_late: bool) {
        let after = self.listed();
        for room in before {
            if self.inside.contains_key(room) {
                assert!(after.contains(room), "room {room} goes on");
                continue;
            }
            let since = self.over.entry(*room).or_insert(self.now);
            if is_late {
                *since = self.now;
            }
            assert_eq!(after.contains(room), self.now - *since < KEEP, "room {room} ended {since:?}");
        }
    }

    fn check(&self) {
        let all: Vec<_> = self.recordings.by_name.iter().map(|Named(one)| one).collect();
        assert_eq!(self.recordings.used, all.iter().map(|one| one.bytes()).sum::<usize>(), "all is counted");
        assert!(self.recordings.used <= self.bounds.total, "and bounded");
        for one in all {
            let rings = one.rings.borrow();
            assert!(rings.bytes() <= self.bounds.room, "a room has its bound");
            assert!(rings.chatter.as_ref().map_or(0, |ring| ring.bytes()) <= self.bounds.room / 4);
        }
        for (room, recorded) in &self.recorded {
            let Some(piece) = self.recordings.read(&name(*room)) else { continue };
            assert!(piece.facts.is_sorted_by(|one, next| one.at < next.at), "time rises");
            assert_eq!(piece.facts.len() as u64 + piece.lost, recorded.0.len() as u64, "what is not there is counted");
            for is_app in [false, true] {
                let times = |is_app: bool| recorded.0.iter().filter(move |(_, app)| *app == is_app).map(|(at, _)| *at);
                let there = piece.facts.iter().filter(|fact| fact.what.is_chatter() == is_app).map(|fact| fact.at);
                let (all, there): (BTreeSet<_>, BTreeSet<_>) = (times(is_app).collect(), there.collect());
                // A ring that had no memory at all for a while may lack some in between.
                assert!(there.is_subset(&all), "only what was recorded");
                let Named(recording) = self.recordings.by_name.get(&name(*room)).expect("it was read");
                let rings = recording.rings.borrow();
                let ring = if is_app { rings.chatter.as_deref() } else { Some(&rings.calls) };
                let is_empty = ring.is_none_or(|ring| ring.bytes() == 0);
                assert!(is_empty || there.last() == all.last(), "the newest is there");
            }
        }
    }
}

proptest! {
    #[test]
    fn recordings_are_bounded_to_the_byte_and_kept_for_their_time(
        steps in steps(), room in 0_usize..3000, total in 0_usize..12_000,
    ) {
        let mut world = World::new(room, total);
        for step in steps {
            world.play(step);
            world.check();
        }
    }

    /// With memory enough nothing is given up, and of each room the newest facts are there.
    #[test]
    fn with_memory_enough_the_newest_are_there(counts in prop::collection::vec((0_usize..6, any::<bool>()), 1..600)) {
        let mut world = World::new(64 * FACT_BYTES, 1 << 20);
        (0..6).for_each(|room| world.play(Step::Open(room)));
        for (room, is_app) in counts {
            world.play(Step::Record(room, is_app, 1));
        }
        prop_assert_eq!(world.recordings.take_given_up(), 0);
        for (room, recorded) in &world.recorded {
            let piece = world.recordings.read(&name(*room)).expect("it is there");
            for (is_app, most) in [(false, 48), (true, 16)] {
                let all: Vec<_> = recorded.0.iter().filter(|(_, app)| *app == is_app).map(|(at, _)| *at).collect();
                let there = piece.facts.iter().filter(|fact| fact.what.is_chatter() == is_app).map(|fact| fact.at);
                prop_assert_eq!(there.collect::<Vec<_>>(), &all[all.len().saturating_sub(most)..]);
            }
        }
    }
}

#[test]
fn what_is_over_goes_first_and_then_what_is_quiet() {
    let mut world = World::new(8 * FACT_BYTES, 6000);
    for room in [0, 1, 2] {
        world.play(Step::Open(room));
        world.play(Step::Record(room, false, 6));
    }
    world.play(Step::End(1));
    world.play(Step::Sweep { seconds: 1, is_late: false });
    let has = |world: &World, room| world.recordings.read(&name(room)).map(|piece| piece.facts.len());
    assert_eq!([has(&world, 0), has(&world, 1), has(&world, 2)], [Some(6); 3]);
    world.play(Step::Record(0, false, 1));
    // One more has no place beside all of these.
    let overhead = world.inside[&0].recording.overhead();
    world.recordings.bounds.total = world.recordings.used + overhead - 50;
    world.play(Step::Open(3));
    assert_eq!([has(&world, 0), has(&world, 1), has(&world, 2)], [Some(6), None, Some(6)]);
    world.recordings.bounds.total = world.recordings.used + overhead - 50;
    world.play(Step::Open(4));
    assert_eq!([has(&world, 0), has(&world, 2)], [Some(6), Some(0)], "nothing has happened there for longest");
    assert_eq!(world.recordings.take_given_up(), 2);
    assert_eq!(world.recordings.read(&name(2)).expect("it is listed").lost, 6, "and it says so");
}

#[test]
fn whose_room_is_forgotten_records_nothing_that_is_kept() {
    let mut world = World::new(1024, 6000);
    world.play(Step::Open(0));
    world.play(Step::Record(0, false, 3));
    let held = Rc::clone(&world.inside[&0].recording);
    world.play(Step::End(0));
    world.play(Step::Sweep { seconds: 0, is_late: false });
    world.play(Step::Sweep { seconds: 61, is_late: false });
    assert_eq!((world.listed().len(), world.recordings.used), (0, 0));
    world.record(0, &held, false);
    assert_eq!((world.recordings.used, held.rings.borrow().bytes()), (0, 0));
}
