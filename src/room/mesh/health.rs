//! The rules of a room's mesh: what is known of each pair of its peers. No actix, no clock.
//!
//! - A pair is *connected* when either side says so. Who says that it failed overrules the other side where that says nothing more
//!   for [`SILENCE`].
//! - It is *failed* when both say so, or one does and the other says nothing more for [`SILENCE`].
//! - It is *waiting* when it is neither, and one of the two reports; and *silent* when none does: nothing is known of it then.
//! - A peer is *fractured* that reaches some of the others, and has not reached another one for more than [`FRACTURE`] meanwhile. Who
//!   is away is nobody that could be reached anew, and so is left out unless it is connected.
//!
//! `A` is where a peer is. The rules keep it and hand it back.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    messages::mesh::{MeshPair, MeshPeer, MeshView, Told, Verdict},
    protocol::{CandidateType, PairEvent, PeerId},
    telemetry::{Counts, PairState},
};

/// Peers of a room whose mesh is watched; in a larger one nothing is kept, and reports of pairs are dropped. 32 have 496 pairs: what is
/// kept of them takes some 100 kB, a look at them 0.1 ms, and nobody sends the same media 31 times.
pub const MOST_PEERS: usize = 32;
/// Who says nothing for so long is silent. Three reports may come in that time.
pub const SILENCE: Duration = Duration::from_secs(15);
/// So long a peer may reach some and not all. As long as clients give ICE; a mesh of ten was seen to form in 12 s on two cores.
pub const FRACTURE: Duration = Duration::from_secs(15);

/// The mesh of one room.
#[derive(Debug)]
pub struct MeshHealth<A> {
    /// In joining order.
    members: Vec<Member<A>>,
    /// What the first says of its connection to the second. Both are members.
    sides: BTreeMap<(PeerId, PeerId), Side>,
    /// Since when the first reaches somebody, and not the second: as of the latest look.
    missing: BTreeMap<(PeerId, PeerId), Instant>,
}

#[derive(Debug)]
struct Member<A> {
    peer: PeerId,
    address: A,
    away: bool,
    reports: bool,
}

/// What one peer says of another.
#[derive(Debug, Clone, Copy)]
struct Side {
    verdict: Verdict,
    /// Since when it says so.
    since: Instant,
    /// When it last said anything.
    heard: Instant,
    round_trip_ms: Option<u32>,
    restarts: u32,
}

/// How a room is doing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings<A> {
    /// Its pairs.
    pub pairs: Counts<PairState>,
    /// Where those are of which one reports.
    pub known: Vec<(A, A)>,
    /// Where those are whose connection has failed.
    pub failed: Vec<(A, A)>,
    /// Where those are of which one is fractured, and does not reach the other.
    pub fractured: Vec<(A, A)>,
}

impl<A> Default for MeshHealth<A> {
    fn default() -> Self {
        Self { members: Vec::new(), sides: BTreeMap::new(), missing: BTreeMap::new() }
    }
}

impl<A: Copy> MeshHealth<A> {
    /// A peer came. One that is here already changes nothing.
    pub fn joined(&mut self, peer: PeerId, address: A, away: bool) {
        if self.member(peer).is_none() {
            self.members.push(Member { peer, address, away, reports: false });
        }
    }

    /// A peer went.
    pub fn left(&mut self, peer: PeerId) {
        self.members.retain(|member| member.peer != peer);
        self.sides.retain(|(from, about), _| *from != peer && *about != peer);
        self.missing.retain(|(from, about), _| *from != peer && *about != peer);
    }

    /// A peer's client is away, or back.
    pub fn away(&mut self, peer: PeerId, away: bool) {
        if let Some(member) = self.members.iter_mut().find(|member| member.peer == peer) {
            member.away = away;
        }
    }

    /// A peer tells something of its connection to another. Says whether both are here.
    pub fn reported(&mut self, from: PeerId, about: PeerId, event: PairEvent, now: Instant) -> bool {
        if from == about || self.member(about).is_none() {
            return false;
        }
        let Some(member) = self.members.iter_mut().find(|member| member.peer == from) else { return false };
        member.reports = true;
        let begun = Side { verdict: Verdict::Trying, since: now, heard: now, round_trip_ms: None, restarts: 0 };
        let side = self.sides.entry((from, about)).or_insert(begun);
        side.heard = now;
        let verdict = match event {
            PairEvent::Attempt => Verdict::Trying,
            PairEvent::Connected(_, candidate) => Verdict::Connected(candidate),
            PairEvent::Failed(reason) => Verdict::Failed(reason),
            PairEvent::Closed => Verdict::Closed,
            PairEvent::RoundTrip(ms) => {
                side.round_trip_ms = Some(ms);
                // What came before may not have come here.
                if matches!(side.verdict, Verdict::Connected(_)) {
                    side.verdict
                } else {
                    Verdict::Connected(CandidateType::Other)
                }
            }
            PairEvent::Restarted => {
                side.restarts = side.restarts.saturating_add(1);
                // One that stands goes on while other paths are tried.
                if matches!(side.verdict, Verdict::Connected(_)) { side.verdict } else { Verdict::Trying }
            }
        };
        if std::mem::discriminant(&verdict) != std::mem::discriminant(&side.verdict) {
            side.since = now;
        }
        side.verdict = verdict;
        true
    }

    /// The looks were late by so much, and so may be what is reported: no silence is made of that.
    pub fn late(&mut self, by: Duration) {
        for side in self.sides.values_mut() {
            side.since += by;
            side.heard += by;
        }
        self.missing.values_mut().for_each(|since| *since += by);
    }

    /// Looks at all pairs. What lasts is found by looks, of which there should be one every few seconds.
    pub fn look(&mut self, now: Instant) -> Findings<A> {
        let (mut pairs, mut known, mut failed) = (Counts::new(), Vec::new(), Vec::new());
        let mut missing = BTreeMap::new();
        for (first, second) in self.pairs() {
            let state = self.state(first, second, now);
            pairs.add(state);
            if state != PairState::Silent {
                known.push((first.address, second.address));
            }
            if state == PairState::Failed {
                failed.push((first.address, second.address));
            }
            let is_missing = matches!(state, PairState::Waiting | PairState::Failed) && !first.away && !second.away;
            for (from, about) in [(first.peer, second.peer), (second.peer, first.peer)] {
                if is_missing && self.reaches(from, now) > 0 {
                    let since = self.missing.get(&(from, about)).copied().unwrap_or(now);
                    missing.insert((from, about), since);
                }
            }
        }
        self.missing = missing;
        let lasting = self.missing.keys().filter(|pair| self.is_lasting(pair, now));
        let fractured = lasting.filter_map(|(from, about)| Some((self.member(*from)?, self.member(*about)?)));
        let fractured = fractured.map(|(from, about)| (from.address, about.address)).collect();
        Findings { pairs, known, failed, fractured }
    }

    /// All that is known, as of the latest look.
    #[must_use]
    pub fn view(&self, now: Instant) -> MeshView {
        let told = |from: PeerId, about: PeerId| {
            self.sides.get(&(from, about)).map(|side| Told {
                verdict: side.verdict,
                since: now.saturating_duration_since(side.since),
                heard: now.saturating_duration_since(side.heard),
                round_trip_ms: side.round_trip_ms,
                restarts: side.restarts,
            })
        };
        let peers = self.members.iter().map(|member| MeshPeer {
            peer: member.peer,
            reports: member.reports,
            away: member.away,
            reaches: self.reaches(member.peer, now),
            is_fractured: self.missing.keys().any(|pair| pair.0 == member.peer && self.is_lasting(pair, now)),
        });
        let pairs = self.pairs().map(|(first, second)| MeshPair {
            peers: [first.peer, second.peer],
            state: self.state(first, second, now),
            told: [told(first.peer, second.peer), told(second.peer, first.peer)],
        });
        MeshView { peers: peers.collect(), pairs: pairs.collect() }
    }

    fn is_lasting(&self, pair: &(PeerId, PeerId), now: Instant) -> bool {
        self.missing.get(pair).is_some_and(|since| now.saturating_duration_since(*since) > FRACTURE)
    }

    fn member(&self, peer: PeerId) -> Option<&Member<A>> {
        self.members.iter().find(|member| member.peer == peer)
    }

    /// Each once.
    fn pairs(&self) -> impl Iterator<Item = (&Member<A>, &Member<A>)> {
        let rest = |at: usize| self.members.get(at + 1..).unwrap_or_default();
        self.members.iter().enumerate().flat_map(move |(at, first)| rest(at).iter().map(move |second| (first, second)))
    }

    /// How many others this peer is connected to.
    fn reaches(&self, peer: PeerId, now: Instant) -> usize {
        let Some(own) = self.member(peer) else { return 0 };
        let others = self.members.iter().filter(|other| other.peer != peer);
        others.filter(|other| self.state(own, other, now) == PairState::Connected).count()
    }

    fn state(&self, first: &Member<A>, second: &Member<A>, now: Instant) -> PairState {
        let sides = [(first.peer, second.peer), (second.peer, first.peer)].map(|pair| self.sides.get(&pair));
        let stands = |own: Option<&Side>, other: Option<&Side>| {
            own.is_some_and(|own| {
                matches!(own.verdict, Verdict::Connected(_)) && !other.is_some_and(|other| other.overrules(own, now))
            })
        };
        let fails = |own: Option<&Side>, other: Option<&Side>| {
            own.is_some_and(|own| {
                own.has_failed() && (other.is_some_and(Side::has_failed) || own.has_last_word(other, now))
            })
        };
        let [one, two] = sides;
        match () {
            () if stands(one, two) || stands(two, one) => PairState::Connected,
            () if fails(one, two) || fails(two, one) => PairState::Failed,
            () if first.reports || second.reports => PairState::Waiting,
            () => PairState::Silent,
        }
    }
}

impl Side {
    fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::Failed(_))
    }

    /// Whether the other side says nothing more since this one says so, or says something, and then nothing for long.
    fn has_last_word(&self, other: Option<&Self>, now: Instant) -> bool {
        let heard = other.map_or(self.since, |other| other.heard.max(self.since));
        now.saturating_duration_since(heard) >= SILENCE
    }

    /// Whether this side knows better than another that says it stands.
    fn overrules(&self, other: &Self, now: Instant) -> bool {
        let denies = matches!(self.verdict, Verdict::Failed(_) | Verdict::Closed);
        denies && other.heard <= self.since && self.has_last_word(Some(other), now)
    }
}
