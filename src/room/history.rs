//! The rules of a room against a naive model, over random histories.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use super::state::{Effect, State};
use crate::protocol::{LeaveReason, Meta, PeerId};

/// Peers that come and go in one history.
const PEERS: usize = 6;

#[derive(Debug, Clone, Copy)]
enum Step {
    Admit(usize),
    Remove(usize),
    Update(usize),
    /// The peer's socket is gone.
    Away(usize),
    /// It is back; with `true`, having missed too much.
    Back(usize, bool),
    /// The peer handles the oldest letter in its mailbox.
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    (0..20_u8, 0..PEERS).prop_map(|(kind, peer)| match kind {
        0..=6 => Step::Admit(peer),
        7..=8 => Step::Remove(peer),
        9..=10 => Step::Update(peer),
        11 => Step::Away(peer),
        12..=13 => Step::Back(peer, kind == 12),
        _ => Step::Read(peer),
    })
}

/// What one peer knows of another: its metadata, whether it is polite towards it, and until when the other is away.
type View = BTreeMap<PeerId, (Option<Meta>, bool, Option<u64>)>;

/// A roster as it waits in a mailbox: who is here, and the news.
#[derive(Debug, Clone)]
struct Letter {
    here: Vec<PeerId>,
    news: News,
}

#[derive(Debug, Clone)]
enum News {
    Welcome(View),
    /// The whole room for one that was away.
    Whole(View),
    Joined(PeerId, Option<Meta>),
    Left(PeerId),
    Updated(PeerId, Option<Meta>),
    Away(PeerId, u64),
    Back(PeerId),
    Confirmed,
}

/// A client as simple as can be: it believes what it is told, in the order of arrival.
#[derive(Debug, Default)]
struct Client {
    mailbox: VecDeque<Letter>,
    view: Option<View>,
}

impl Client {
    /// One that was welcomed may say `leave` and come back with letters of its former stay still waiting. One that was
    /// not can only hang up, and its mailbox goes with it.
    fn leave(&mut self) {
        if self.view.take().is_none() {
            self.mailbox.clear();
        }
    }

    fn read(&mut self, own: PeerId) -> Result<(), TestCaseError> {
        let Some(letter) = self.mailbox.pop_front() else { return Ok(()) };
        if let News::Welcome(view) = &letter.news {
            self.view = Some(view.clone());
        }
        // What was on its way when the peer left is of its former stay.
        let Some(view) = &mut self.view else { return Ok(()) };
        match letter.news {
            News::Whole(whole) => *view = whole,
            News::Welcome(_) | News::Confirmed => {}
            News::Joined(peer, meta) => prop_assert!(view.insert(peer, (meta, false, None)).is_none(), "told twice"),
            News::Left(peer) => prop_assert!(view.remove(&peer).is_some(), "told of a leave before the join"),
            News::Updated(peer, meta) => {
                view.get_mut(&peer).ok_or_else(|| TestCaseError::fail("update of a stranger"))?.0 = meta;
            }
            News::Away(peer, until) => {
                view.get_mut(&peer).ok_or_else(|| TestCaseError::fail("a stranger is away"))?.2 = Some(until);
            }
            News::Back(peer) => {
                let away = view.get_mut(&peer).and_then(|known| known.2.take());
                prop_assert!(away.is_some(), "back, and was not away");
            }
        }
        let mut believed: Vec<_> = view.keys().copied().chain([own]).collect();
        believed.sort_unstable();
        prop_assert_eq!(believed, letter.here, "the roster and its news tell the same story");
        Ok(())
    }
}

/// The room under test, the model (a list, in joining order), and the clients.
struct World {
    names: Vec<PeerId>,
    room: State<usize>,
    model: Vec<(usize, Option<Meta>, Option<u64>)>,
    clients: Vec<Client>,
    updates: usize,
}

impl World {
    fn new() -> Self {
        let names = (0..PEERS).map(|_| PeerId::random()).collect();
        let clients = (0..PEERS).map(|_| Client::default()).collect();
        Self { names, room: State::default(), model: Vec::new(), clients, updates: 0 }
    }

    fn fresh_meta(&mut self) -> Meta {
        self.updates += 1;
        Meta::from_checked(&format!("{{\"n\":{}}}", self.updates))
    }

    fn has(&self, who: usize) -> bool {
        self.model.iter().any(|(peer, ..)| *peer == who)
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Admit(who) => self.admit(who),
            Step::Remove(who) => self.remove(who),
            Step::Update(who) => self.update(who),
            Step::Away(who) => self.away(who),
            Step::Back(who, resync) => self.back(who, resync),
            Step::Read(who) => self.clients[who].read(self.names[who]),
        }
    }

    fn admit(&mut self, who: usize) -> Result<(), TestCaseError> {
        let meta = who.is_multiple_of(2).then(|| self.fresh_meta());
        let effects = self.room.admit(self.names[who], meta.clone(), who);
        if self.has(who) {
            prop_assert_eq!(effects, vec![], "nobody is let in twice");
            return Ok(());
        }
        self.model.push((who, meta, None));
        prop_assert_eq!(effects.last(), Some(&Effect::Welcome(self.names[who])), "the newcomer is told last");
        self.carry_out(&effects)
    }

    fn remove(&mut self, who: usize) -> Result<(), TestCaseError> {
        let was_here = self.has(who);
        self.model.retain(|(peer, ..)| *peer != who);
        self.clients[who].leave();
        let effects = self.room.remove(self.names[who], LeaveReason::Left);
        prop_assert_eq!(effects.contains(&Effect::Stop), was_here && self.model.is_empty());
        prop_assert_eq!(effects.is_empty(), !was_here);
        self.carry_out(&effects)
    }

    fn update(&mut self, who: usize) -> Result<(), TestCaseError> {
        let meta = self.fresh_meta();
        let effects = self.room.update(self.names[who], meta.clone());
        prop_assert_eq!(effects.contains(&Effect::CountStray(self.names[who])), !self.has(who));
        if let Some(entry) = self.model.iter_mut().find(|(peer, ..)| *peer == who) {
            entry.1 = Some(meta);
        }
        self.carry_out(&effects)
    }

    fn away(&mut self, who: usize) -> Result<(), TestCaseError> {
        self.updates += 1;
        let until = self.updates as u64;
        if let Some(entry) = self.model.iter_mut().find(|(peer, ..)| *peer == who) {
            entry.2 = Some(until);
        }
        let effects = self.room.away(self.names[who], until);
        self.carry_out(&effects)
    }

    fn back(&mut self, who: usize, resync: bool) -> Result<(), TestCaseError> {
        if let Some(entry) = self.model.iter_mut().find(|(peer, ..)| *peer == who) {
            entry.2 = None;
        }
        let mut effects = self.room.back(self.names[who]);
        if resync {
            effects.extend(self.room.resync(self.names[who]));
        }
        self.carry_out(&effects)
    }

    fn carry_out(&mut self, effects: &[Effect]) -> Result<(), TestCaseError> {
        for effect in effects {
            match *effect {
                Effect::TellJoined(peer) => self.tell_others(peer, &News::Joined(peer, self.meta(peer)))?,
                Effect::TellLeft(peer, _) => self.tell_others(peer, &News::Left(peer))?,
                Effect::TellUpdated(peer) => self.tell_others(peer, &News::Updated(peer, self.meta(peer)))?,
                Effect::TellAway(peer, until) => self.tell_others(peer, &News::Away(peer, until))?,
                Effect::TellBack(peer) => self.tell_others(peer, &News::Back(peer))?,
                Effect::Welcome(peer) => self.show(peer, News::Welcome)?,
                Effect::Resync(peer) => self.show(peer, News::Whole)?,
                Effect::Confirm(peer) => self.post(self.room.occupant(peer).map(|o| o.member), News::Confirmed)?,
                Effect::CountStray(_) | Effect::Stop => {}
            }
        }
        Ok(())
    }

    fn meta(&self, peer: PeerId) -> Option<Meta> {
        self.room.occupant(peer).and_then(|o| o.meta.clone())
    }

    fn tell_others(&mut self, about: PeerId, news: &News) -> Result<(), TestCaseError> {
        let others: Vec<_> = self.room.others(about).map(|o| o.member).collect();
        prop_assert!(!others.is_empty(), "nothing is encoded for nobody");
        others.into_iter().try_for_each(|who| self.post(Some(who), news.clone()))
    }

    fn show(&mut self, peer: PeerId, news: fn(View) -> News) -> Result<(), TestCaseError> {
        let seen = self.room.seen_by(peer);
        let view = seen.map(|(peer, meta, polite, away)| (peer, (meta.cloned(), polite, away))).collect();
        self.post(self.room.occupant(peer).map(|o| o.member), news(view))
    }

    fn post(&mut self, who: Option<usize>, news: News) -> Result<(), TestCaseError> {
        let who = who.ok_or_else(|| TestCaseError::fail("a letter to a peer that is not here"))?;
        prop_assert!(self.has(who), "nothing reaches a peer that left");
        let here = self.room.sorted().into_iter().map(|(peer, _)| peer).collect();
        self.clients[who].mailbox.push_back(Letter { here, news });
        Ok(())
    }

    /// Lets every letter arrive, and compares what everybody believes with the model.
    fn fall_quiet(&mut self) -> Result<(), TestCaseError> {
        for (client, name) in self.clients.iter_mut().zip(&self.names) {
            while !client.mailbox.is_empty() {
                client.read(*name)?;
            }
        }
        for (at, (who, ..)) in self.model.iter().enumerate() {
            let others = self.model.iter().enumerate().filter(|(other, _)| *other != at);
            // The later joiner is polite: this one is, towards those before it.
            let truth: View =
                others.map(|(i, (p, meta, away))| (self.names[*p], (meta.clone(), i < at, *away))).collect();
            prop_assert_eq!(self.clients[*who].view.as_ref(), Some(&truth));
        }
        prop_assert!((0..PEERS).all(|who| self.has(who) || self.clients[who].view.is_none()));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_view_of_a_room_diverges(steps in prop::collection::vec(step(), 0..40), early in any::<prop::sample::Index>()) {
        let mut world = World::new();
        let quiet_at = early.index(steps.len() + 1);
        for (at, step) in steps.into_iter().enumerate() {
            if at == quiet_at {
                world.fall_quiet()?;
            }
            world.run(step)?;
        }
        world.fall_quiet()?;
    }
}
