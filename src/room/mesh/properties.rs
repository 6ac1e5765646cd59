//! The rules of a mesh against a naive model that keeps all that was ever said, over random histories; and what they are for, in words.

use std::time::{Duration, Instant};

use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};

use super::health::{FRACTURE, MeshHealth, SILENCE};
use crate::{
    protocol::{CandidateType, PairEvent, PairFailure, PeerId},
    telemetry::PairState,
};

const PEERS: usize = 4;
const CONNECTED: PairEvent = PairEvent::Connected(200, CandidateType::Host);
const FAILED: PairEvent = PairEvent::Failed(PairFailure::IceFailed);

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(usize),
    Leave(usize),
    Away(usize, bool),
    Report(usize, usize, PairEvent),
    Pass(u64),
    Late(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let event = prop::sample::select(vec![
        PairEvent::Attempt,
        CONNECTED,
        CONNECTED,
        FAILED,
        PairEvent::RoundTrip(30),
        PairEvent::Restarted,
        PairEvent::Closed,
    ]);
    prop::strategy::Union::new_weighted(vec![
        (2, (0..PEERS).prop_map(Step::Join).boxed()),
        (1, (0..PEERS).prop_map(Step::Leave).boxed()),
        (1, (0..PEERS, proptest::bool::ANY).prop_map(|(peer, away)| Step::Away(peer, away)).boxed()),
        (9, (0..PEERS, 0..PEERS, event).prop_map(|(from, about, event)| Step::Report(from, about, event)).boxed()),
        (5, (1..9_u64).prop_map(Step::Pass).boxed()),
        (1, (1..40_u64).prop_map(Step::Late).boxed()),
    ])
}

type States = [[PairState; PEERS]; PEERS];

/// Everything that happened, and nothing that follows from it.
struct History {
    start: Instant,
    now: Duration,
    ids: Vec<PeerId>,
    /// Who is here, and who of them is away.
    here: Vec<(usize, bool)>,
    /// Who has reported since it came.
    reporters: Vec<usize>,
    /// Who said what of which peer, and when.
    said: Vec<(usize, usize, PairEvent, Duration)>,
    /// Each look, with who did not reach which peer, and reached somebody.
    looks: Vec<(Duration, Vec<(usize, usize)>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Trying,
    Up,
    Down,
    Closed,
}

impl History {
    /// What somebody says of somebody: the word, since when, and when anything was said at all.
    fn word(&self, from: usize, about: usize) -> Option<(Word, Duration, Duration)> {
        let mut words: Vec<(Word, Duration)> = Vec::new();
        for (_, _, event, at) in self.said.iter().filter(|said| (said.0, said.1) == (from, about)) {
            let before = words.last().map_or(Word::Trying, |(word, _)| *word);
            let word = match event {
                PairEvent::Connected(..) | PairEvent::RoundTrip(_) => Word::Up,
                PairEvent::Failed(_) => Word::Down,
                PairEvent::Closed => Word::Closed,
                PairEvent::Restarted if before == Word::Up => before,
                PairEvent::Attempt | PairEvent::Restarted => Word::Trying,
            };
            words.push((word, *at));
        }
        let (last, heard) = *words.last()?;
        let since = words.iter().rev().take_while(|(word, _)| *word == last).last()?.1;
        Some((last, since, heard))
    }

    fn state(&self, a: usize, b: usize) -> PairState {
        let (one, two) = (self.word(a, b), self.word(b, a));
        let quiet = |since: Duration, other: Option<(Word, Duration, Duration)>| {
            let spoke = other.map_or(since, |(_, _, heard)| heard.max(since));
            self.now.saturating_sub(spoke) >= SILENCE
        };
        let up = |own: Option<(Word, Duration, Duration)>, other: Option<(Word, Duration, Duration)>| {
            let Some((Word::Up, _, heard)) = own else { return false };
            let Some((Word::Down | Word::Closed, since, _)) = other else { return true };
            heard > since || !quiet(since, own)
        };
        let down = |own: Option<(Word, Duration, Duration)>, other: Option<(Word, Duration, Duration)>| {
            let Some((Word::Down, since, _)) = own else { return false };
            matches!(other, Some((Word::Down, ..))) || quiet(since, other)
        };
        if up(one, two) || up(two, one) {
            PairState::Connected
        } else if down(one, two) || down(two, one) {
            PairState::Failed
        } else if self.reporters.contains(&a) || self.reporters.contains(&b) {
            PairState::Waiting
        } else {
            PairState::Silent
        }
    }

    /// Of all that might be here: of each pair once, since the two sides of one have one state.
    fn states(&self) -> States {
        let half: States =
            std::array::from_fn(|a| std::array::from_fn(|b| if b < a { self.state(a, b) } else { PairState::Silent }));
        std::array::from_fn(|a| std::array::from_fn(|b| half[a.max(b)][a.min(b)]))
    }

    fn reaches(&self, from: usize, states: &States) -> usize {
        let others = self.here.iter().filter(|(other, _)| *other != from);
        others.filter(|(other, _)| states[from][*other] == PairState::Connected).count()
    }

    fn look(&mut self, states: &States) {
        let mut missing = Vec::new();
        for &(a, a_away) in &self.here {
            for &(b, b_away) in &self.here {
                let open = a != b && matches!(states[a][b], PairState::Waiting | PairState::Failed);
                if open && !a_away && !b_away && self.reaches(a, states) > 0 {
                    missing.push((a, b));
                }
            }
        }
        self.looks.push((self.now, missing));
    }

    fn is_fractured(&self, from: usize, about: usize) -> bool {
        let run = self.looks.iter().rev().take_while(|(_, missing)| missing.contains(&(from, about)));
        run.last().is_some_and(|(at, _)| self.now.saturating_sub(*at) > FRACTURE)
    }

    fn forget(&mut self, peer: usize) {
        self.here.retain(|(here, _)| *here != peer);
        self.reporters.retain(|reporter| *reporter != peer);
        self.said.retain(|(from, about, ..)| *from != peer && *about != peer);
        for (_, missing) in &mut self.looks {
            missing.retain(|(from, about)| *from != peer && *about != peer);
        }
    }

    fn run(&mut self, mesh: &mut MeshHealth<usize>, step: Step) {
        let now = self.start + self.now;
        let is_here = |history: &Self, peer: usize| history.here.iter().any(|(here, _)| *here == peer);
        match step {
            Step::Join(peer) => {
                mesh.joined(self.ids[peer], peer, false);
                if !is_here(self, peer) {
                    self.here.push((peer, false));
                }
            }
            Step::Leave(peer) => {
                mesh.left(self.ids[peer]);
                self.forget(peer);
            }
            Step::Away(peer, away) => {
                mesh.away(self.ids[peer], away);
                self.here.iter_mut().filter(|(here, _)| *here == peer).for_each(|here| here.1 = away);
            }
            Step::Report(from, about, event) => {
                let taken = mesh.reported(self.ids[from], self.ids[about], event, now);
                let good = from != about && is_here(self, from) && is_here(self, about);
                assert_eq!(taken, good);
                if good {
                    self.said.push((from, about, event, self.now));
                    self.reporters.push(from);
                }
            }
            Step::Pass(seconds) => self.now += Duration::from_secs(seconds),
            Step::Late(seconds) => {
                let late = Duration::from_secs(seconds);
                mesh.late(late);
                self.now += late;
                self.said.iter_mut().for_each(|said| said.3 += late);
                self.looks.iter_mut().for_each(|look| look.0 += late);
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::protocol::histories::config())]

    #[test]
    fn what_is_found_equals_a_naive_recount_of_all_that_was_said(steps in prop::collection::vec(step(), 0..40)) {
        let ids = (0..PEERS).map(|_| PeerId::random()).collect();
        let (here, reporters, said, looks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut history = History { start: Instant::now(), now: Duration::ZERO, ids, here, reporters, said, looks };
        let mut mesh = MeshHealth::default();
        for step in steps {
            history.run(&mut mesh, step);
            // Each look costs the model dearly.
            if !matches!(step, Step::Pass(_) | Step::Late(_)) { continue }
            let states = history.states();
            history.look(&states);
            let now = history.start + history.now;
            let found = mesh.look(now);
            let (mut failed, mut known, mut fractured) = (Vec::new(), Vec::new(), Vec::new());
            for (at, &(a, _)) in history.here.iter().enumerate() {
                for &(b, _) in &history.here[at + 1..] {
                    let state = states[a][b];
                    if state != PairState::Silent { known.push((a, b)) }
                    if state == PairState::Failed { failed.push((a, b)) }
                }
                for &(b, _) in &history.here {
                    if history.is_fractured(a, b) { fractured.push((a, b)) }
                }
            }
            let sorted = |mut pairs: Vec<(usize, usize)>| { pairs.sort_unstable(); pairs };
            prop_assert_eq!(sorted(found.failed), sorted(failed));
            prop_assert_eq!(sorted(found.known), sorted(known));
            prop_assert_eq!(sorted(found.fractured), sorted(fractured));
            let view = mesh.view(now);
            prop_assert_eq!(view.pairs.len() as u64, found.pairs.total());
            for (peer, &(a, away)) in view.peers.iter().zip(&history.here) {
                let fractured = (0..PEERS).any(|b| history.is_fractured(a, b));
                let expected = (history.reporters.contains(&a), away, history.reaches(a, &states), fractured);
                prop_assert_eq!((peer.reports, peer.away, peer.reaches, peer.is_fractured), expected);
            }
        }
    }
}

/// Three peers, of which Ann and Bob are connected.
struct Room {
    mesh: MeshHealth<usize>,
    peers: [PeerId; 3],
    start: Instant,
}

impl Room {
    fn new() -> Self {
        let (mut mesh, peers) = (MeshHealth::default(), [(); 3].map(|()| PeerId::random()));
        for (at, peer) in peers.into_iter().enumerate() {
            mesh.joined(peer, at, false);
        }
        let mut room = Self { mesh, peers, start: Instant::now() };
        room.report(0, 1, CONNECTED, 0);
        room
    }

    fn report(&mut self, from: usize, about: usize, event: PairEvent, at: u64) {
        let now = self.start + Duration::from_secs(at);
        assert!(self.mesh.reported(self.peers[from], self.peers[about], event, now));
    }

    /// Looks every second of that time; whether the room is fractured at its end.
    fn is_fractured_after(&mut self, seconds: std::ops::RangeInclusive<u64>) -> bool {
        let looks = seconds.map(|second| self.mesh.look(self.start + Duration::from_secs(second)));
        looks.last().is_some_and(|found| !found.fractured.is_empty())
    }
}

#[test]
fn a_pair_that_is_not_made_fractures_its_room_after_15_s_and_heals_it_when_it_is() {
    let mut room = Room::new();
    room.report(1, 2, CONNECTED, 1);
    assert!(!room.is_fractured_after(0..=15));
    assert!(room.is_fractured_after(16..=17));
    room.report(2, 0, CONNECTED, 17);
    assert!(!room.is_fractured_after(18..=18));
}

#[test]
fn a_newcomer_has_15_s_of_its_own() {
    let mut room = Room::new();
    for (from, about) in [(1, 2), (2, 0)] {
        room.report(from, about, CONNECTED, 1);
    }
    assert!(!room.is_fractured_after(0..=60));
    room.mesh.joined(PeerId::random(), 3, false);
    assert!(!room.is_fractured_after(61..=76));
    assert!(room.is_fractured_after(77..=77));
}

#[test]
fn who_reaches_nobody_yet_has_no_fractured_mesh() {
    let mut room = Room::new();
    room.report(0, 1, FAILED, 1);
    room.report(1, 0, FAILED, 1);
    assert!(!room.is_fractured_after(0..=100));
}

#[test]
fn rooms_whose_clients_do_not_report_are_not_judged() {
    let mut mesh = MeshHealth::default();
    for at in 0..3 {
        mesh.joined(PeerId::random(), at, false);
    }
    let found = mesh.look(Instant::now() + Duration::from_secs(100));
    assert_eq!((found.pairs.get(PairState::Silent), found.known.len(), found.fractured.len()), (3, 0, 0));
}

#[test]
fn a_thread_that_stood_still_has_seen_nobody_silent() {
    let mut room = Room::new();
    room.report(1, 2, CONNECTED, 1);
    assert!(!room.is_fractured_after(0..=14));
    room.mesh.late(Duration::from_secs(1000));
    assert!(!room.is_fractured_after(1014..=1015));
    assert!(room.is_fractured_after(1016..=1017));
}
