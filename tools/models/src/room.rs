//! Histories of one room: its rules, a naive model of them, and clients that believe what they are told in messages that
//! wait in mailboxes for a while.

use std::collections::{BTreeMap, VecDeque};

use switchboard::{
    protocol::{
        LeaveReason, Meta, PeerId,
        client::{ClientFrame, ParseLimits, parse},
    },
    room::state::{Effect, RoomState},
};

/// Peers that come and go in one history.
const PEERS: usize = 6;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The supervisor lets the peer in.
    Admit(usize),
    /// The peer leaves, or hangs up.
    Remove(usize),
    /// The peer changes its metadata.
    Update(usize),
    /// The peer's socket is gone.
    Away(usize),
    /// It is back; with `true`, having missed too much.
    Back(usize, bool),
    /// The peer handles the oldest message in its mailbox.
    Read(usize),
    /// Every message arrives.
    Rest,
}

impl Step {
    /// A step for any two numbers.
    #[must_use]
    pub fn read(kind: u8, peer: u8) -> Self {
        let peer = usize::from(peer) % PEERS;
        match kind % 41 {
            0..=13 => Self::Admit(peer),
            14..=17 => Self::Remove(peer),
            18..=21 => Self::Update(peer),
            22..=23 => Self::Away(peer),
            24..=27 => Self::Back(peer, kind.is_multiple_of(2)),
            28 => Self::Rest,
            _ => Self::Read(peer),
        }
    }
}

/// Plays a history, lets it come to rest, and compares.
pub fn play(steps: impl IntoIterator<Item = Step>) {
    let mut world = World::new();
    steps.into_iter().for_each(|step| world.run(step));
    world.fall_quiet();
}

/// What one peer knows of another: its metadata, whether it is polite towards it, and until when the other is away.
type View = BTreeMap<PeerId, (Option<Meta>, bool, Option<u64>)>;

/// A roster as it waits in a mailbox: who is here, and the news.
#[derive(Debug, Clone)]
struct Queued {
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
    mailbox: VecDeque<Queued>,
    view: Option<View>,
}

impl Client {
    /// One that was welcomed may send `leave` and come back with messages of its former membership still waiting. One that was
    /// not can only hang up, and its mailbox goes with it.
    fn leave(&mut self) {
        if self.view.take().is_none() {
            self.mailbox.clear();
        }
    }

    fn read(&mut self, own: PeerId) {
        let Some(message) = self.mailbox.pop_front() else { return };
        if let News::Welcome(view) = &message.news {
            self.view = Some(view.clone());
        }
        // What was on its way when the peer left is of its former membership.
        let Some(view) = &mut self.view else { return };
        match message.news {
            News::Whole(whole) => *view = whole,
            News::Welcome(_) | News::Confirmed => {}
            News::Joined(peer, meta) => assert!(view.insert(peer, (meta, false, None)).is_none(), "told twice"),
            News::Left(peer) => assert!(view.remove(&peer).is_some(), "told of a leave before the join"),
            News::Updated(peer, meta) => {
                view.get_mut(&peer).expect("update of a stranger").0 = meta;
            }
            News::Away(peer, until) => {
                view.get_mut(&peer).expect("a stranger is away").2 = Some(until);
            }
            News::Back(peer) => {
                let away = view.get_mut(&peer).and_then(|known| known.2.take());
                assert!(away.is_some(), "back, and was not away");
            }
        }
        let mut believed: Vec<_> = view.keys().copied().chain([own]).collect();
        believed.sort_unstable();
        assert_eq!(believed, message.here, "the roster and its news tell the same story");
    }
}

/// Metadata as a client's `update` brings it, since nothing else makes any.
fn meta(n: usize) -> Meta {
    let bounds = ParseLimits { room_name_bytes: 1, meta_bytes: 64, json_depth: 2, recipients: 1 };
    let text = format!(r#"{{"type":"update","meta":{{"n":{n}}}}}"#);
    match parse(&text, &bounds).expect("a frame").frame {
        ClientFrame::Update { meta: Some(meta), .. } => meta,
        other => panic!("{other:?}"),
    }
}

/// The room under test, the model (a list, in joining order), and the clients.
struct World {
    names: Vec<PeerId>,
    room: RoomState<usize>,
    model: Vec<(usize, Option<Meta>, Option<u64>)>,
    clients: Vec<Client>,
    updates: usize,
}

impl World {
    fn new() -> Self {
        // Neither in joining order nor in the reverse.
        let name = |who: usize| PeerId::parse(&format!("{:032x}", who * 5 % 7)).expect("an id");
        let names = (0..PEERS).map(name).collect();
        let clients = (0..PEERS).map(|_| Client::default()).collect();
        Self { names, room: RoomState::default(), model: Vec::new(), clients, updates: 0 }
    }

    fn fresh_meta(&mut self) -> Meta {
        self.updates += 1;
        meta(self.updates)
    }

    fn has(&self, who: usize) -> bool {
        self.model.iter().any(|(peer, ..)| *peer == who)
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Admit(who) => self.admit(who),
            Step::Remove(who) => self.remove(who),
            Step::Update(who) => self.update(who),
            Step::Away(who) => self.away(who),
            Step::Back(who, resync) => self.back(who, resync),
            Step::Read(who) => self.clients[who].read(self.names[who]),
            Step::Rest => self.fall_quiet(),
        }
    }

    fn admit(&mut self, who: usize) {
        let meta = who.is_multiple_of(2).then(|| self.fresh_meta());
        let effects = self.room.admit(self.names[who], meta.clone(), None, who);
        if self.has(who) {
            assert_eq!(effects, vec![], "nobody is let in twice");
            return;
        }
        self.model.push((who, meta, None));
        assert_eq!(effects.last(), Some(&Effect::Welcome(self.names[who])), "the newcomer is told last");
        self.carry_out(&effects);
    }

    fn remove(&mut self, who: usize) {
        let was_here = self.has(who);
        self.model.retain(|(peer, ..)| *peer != who);
        self.clients[who].leave();
        let effects = self.room.remove(self.names[who], LeaveReason::Left);
        assert_eq!(effects.contains(&Effect::Stop), was_here && self.model.is_empty());
        assert_eq!(effects.is_empty(), !was_here);
        self.carry_out(&effects);
    }

    fn update(&mut self, who: usize) {
        let meta = self.fresh_meta();
        let effects = self.room.update(self.names[who], meta.clone());
        assert_eq!(effects.contains(&Effect::CountStray(self.names[who])), !self.has(who));
        if let Some(entry) = self.model.iter_mut().find(|(peer, ..)| *peer == who) {
            entry.1 = Some(meta);
        }
        self.carry_out(&effects);
    }

    fn away(&mut self, who: usize) {
        self.updates += 1;
        let until = self.updates as u64;
        if let Some(entry) = self.model.iter_mut().find(|(peer, ..)| *peer == who) {
            entry.2 = Some(until);
        }
        let effects = self.room.away(self.names[who], until);
        self.carry_out(&effects);
    }

    fn back(&mut self, who: usize, resync: bool) {
        if let Some(entry) = self.model.iter_mut().find(|(peer, ..)| *peer == who) {
            entry.2 = None;
        }
        let mut effects = self.room.back(self.names[who]);
        if resync {
            effects.extend(self.room.resync(self.names[who]));
        }
        self.carry_out(&effects);
    }

    fn carry_out(&mut self, effects: &[Effect]) {
        for effect in effects {
            match *effect {
                Effect::NotifyJoined(peer) => self.notify_others(peer, &News::Joined(peer, self.meta(peer))),
                Effect::NotifyLeft(peer, _) => self.notify_others(peer, &News::Left(peer)),
                Effect::NotifyUpdated(peer) => self.notify_others(peer, &News::Updated(peer, self.meta(peer))),
                Effect::NotifyAway(peer, until) => self.notify_others(peer, &News::Away(peer, until)),
                Effect::NotifyBack(peer) => self.notify_others(peer, &News::Back(peer)),
                Effect::Welcome(peer) => self.show(peer, News::Welcome),
                Effect::Resync(peer) => self.show(peer, News::Whole),
                Effect::Confirm(peer) => self.post(self.room.occupant(peer).map(|o| o.member), News::Confirmed),
                Effect::CountStray(_) | Effect::Stop => {}
            }
        }
    }

    fn meta(&self, peer: PeerId) -> Option<Meta> {
        self.room.occupant(peer).and_then(|o| o.meta.clone())
    }

    fn notify_others(&mut self, about: PeerId, news: &News) {
        let others: Vec<_> = self.room.others(about).map(|o| o.member).collect();
        assert!(!others.is_empty(), "nothing is encoded for nobody");
        for who in others {
            self.post(Some(who), news.clone());
        }
    }

    fn show(&mut self, peer: PeerId, news: fn(View) -> News) {
        let seen = self.room.seen_by(peer);
        let view = seen.map(|peer| (peer.id, (peer.meta, peer.polite, peer.away_until_ms))).collect();
        self.post(self.room.occupant(peer).map(|o| o.member), news(view));
    }

    fn post(&mut self, who: Option<usize>, news: News) {
        let who = who.expect("a message to a peer that is not here");
        assert!(self.has(who), "nothing reaches a peer that left");
        let here = self.room.sorted().into_iter().map(|(peer, _)| peer).collect();
        self.clients[who].mailbox.push_back(Queued { here, news });
    }

    /// Lets every message arrive, and compares what everybody believes with the model.
    fn fall_quiet(&mut self) {
        for (client, name) in self.clients.iter_mut().zip(&self.names) {
            while !client.mailbox.is_empty() {
                client.read(*name);
            }
        }
        for (at, (who, ..)) in self.model.iter().enumerate() {
            let others = self.model.iter().enumerate().filter(|(other, _)| *other != at);
            // The later joiner is polite: this one is, towards those before it.
            let truth: View =
                others.map(|(i, (p, meta, away))| (self.names[*p], (meta.clone(), i < at, *away))).collect();
            assert_eq!(self.clients[*who].view.as_ref(), Some(&truth));
        }
        assert!((0..PEERS).all(|who| self.has(who) || self.clients[who].view.is_none()));
    }
}
