//! Histories of one room: its rules, a naive model of them, and clients that believe what they are told in messages that
//! wait in mailboxes for a while. What happens is gathered as the room gathers it; the model tells each change at once, and
//! every client has to be told the same by both, in the same order.

use std::collections::{BTreeMap, VecDeque};

use switchboard::{
    protocol::{
        LeaveReason, Meta, PeerId,
        client::{ClientFrame, ParseLimits, parse},
    },
    room::{
        gather::{ForMember, Gathered, Happening},
        state::{Effect, RoomState},
    },
};

/// Peers that come and go in one history.
const PEERS: usize = 6;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The supervisor lets the peer in.
    Admit(usize),
    /// The supervisor lets the peer in, in the place of another.
    Replace(usize, usize),
    /// The peer leaves, or hangs up.
    Remove(usize),
    /// The peer changes its metadata.
    Update(usize),
    /// The peer's socket is gone.
    Away(usize),
    /// It is back; with `true`, having missed too much.
    Back(usize, bool),
    /// The room's mailbox is empty: it notifies its members.
    Notify,
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
            0..=10 => Self::Admit(peer),
            11..=13 => Self::Replace(peer, usize::from(kind / 41) % PEERS),
            14..=17 => Self::Remove(peer),
            18..=21 => Self::Update(peer),
            22..=23 => Self::Away(peer),
            24..=27 => Self::Back(peer, kind.is_multiple_of(2)),
            28 => Self::Rest,
            29..=30 => Self::Notify,
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
    news: Vec<News>,
}

#[derive(Debug, Clone, PartialEq)]
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
    /// All that it was sent of its present membership, and what it would have been sent, each change at once.
    sent: Vec<News>,
    sent_at_once: Vec<News>,
    /// Whether it is to be told of the whole room: asking again makes no difference then.
    asked: bool,
}

/// Something that happened to one peer: what the others are told, and what it is told itself.
struct Happened {
    about: PeerId,
    news: News,
    own: Option<News>,
}

impl Happened {
    fn news_for(&self, peer: PeerId) -> Option<&News> {
        if peer == self.about { self.own.as_ref() } else { Some(&self.news) }
    }
}

impl Happening for Happened {
    fn concerns(&self, member: PeerId) -> bool {
        self.news_for(member).is_some()
    }
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
        message.news.into_iter().for_each(|news| self.believe(news));
        // What was on its way when the peer left is of its former membership.
        let Some(view) = &self.view else { return };
        let mut believed: Vec<_> = view.keys().copied().chain([own]).collect();
        believed.sort_unstable();
        assert_eq!(believed, message.here, "the roster and its news tell the same story");
    }

    fn believe(&mut self, news: News) {
        if let News::Welcome(view) = &news {
            self.view = Some(view.clone());
        }
        let Some(view) = &mut self.view else { return };
        match news {
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
    }
}

/// Metadata as a client's `update` brings it, since nothing else makes any.
fn meta(n: usize) -> Meta {
    let bounds = ParseLimits { room_name_bytes: 1, meta_bytes: 64, json_depth: 2, recipients: 1, report_events: 1 };
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
    gathered: Gathered<Happened, News>,
}

impl World {
    fn new() -> Self {
        // Neither in joining order nor in the reverse.
        let name = |who: usize| PeerId::parse(&format!("{:032x}", who * 5 % 7)).expect("an id");
        let names = (0..PEERS).map(name).collect();
        let clients = (0..PEERS).map(|_| Client::default()).collect();
        let (room, gathered) = (RoomState::default(), Gathered::default());
        Self { names, room, model: Vec::new(), clients, updates: 0, gathered }
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
            Step::Admit(who) => self.admit(who, None),
            Step::Replace(who, gone) => self.replace(who, gone),
            Step::Remove(who) => self.remove(who),
            Step::Update(who) => self.update(who),
            Step::Away(who) => self.away(who),
            Step::Back(who, resync) => self.back(who, resync),
            Step::Notify => self.notify(),
            Step::Read(who) => self.clients[who].read(self.names[who]),
            Step::Rest => self.fall_quiet(),
        }
    }

    /// Somebody goes whose place is taken in the same step. The supervisor has no such step for who is in the room, or who is
    /// not.
    fn replace(&mut self, who: usize, gone: usize) {
        if self.has(who) || !self.has(gone) {
            return self.admit(who, None);
        }
        self.model.retain(|(peer, ..)| *peer != gone);
        self.clients[gone].leave();
        let effects = self.room.replace(&[self.names[gone]]);
        let told = Effect::NotifyLeft(self.names[gone], LeaveReason::Replaced);
        assert_eq!(effects, if self.model.is_empty() { vec![] } else { vec![told] }, "the room goes on");
        self.carry_out(&effects);
        self.admit(who, Some(self.names[gone]));
    }

    fn admit(&mut self, who: usize, replaces: Option<PeerId>) {
        let meta = who.is_multiple_of(2).then(|| self.fresh_meta());
        let effects = self.room.admit(self.names[who], meta.clone(), None, None, replaces, who);
        if self.has(who) {
            assert_eq!(effects, vec![], "nobody is let in twice");
            return;
        }
        self.model.push((who, meta, None));
        assert_eq!(effects.last(), Some(&Effect::Welcome(self.names[who])), "the newcomer is told last");
        let told = effects.contains(&Effect::NotifyJoined(self.names[who], replaces));
        assert!(told || self.model.len() == 1, "the others are told in whose place it came");
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
                Effect::NotifyJoined(peer, _) => self.happened(peer, News::Joined(peer, self.meta(peer)), None),
                Effect::NotifyLeft(peer, _) => self.happened(peer, News::Left(peer), None),
                Effect::NotifyUpdated(peer) => {
                    self.happened(peer, News::Updated(peer, self.meta(peer)), Some(News::Confirmed));
                }
                Effect::NotifyAway(peer, until) => self.happened(peer, News::Away(peer, until), None),
                Effect::NotifyBack(peer) => self.happened(peer, News::Back(peer), None),
                Effect::Welcome(peer) => self.welcome(peer),
                Effect::Resync(peer) => self.resync(peer),
                Effect::CountStray(_) | Effect::Stop => {}
            }
        }
        if self.gathered.is_full() {
            self.notify();
        }
    }

    fn meta(&self, peer: PeerId) -> Option<Meta> {
        self.room.occupant(peer).and_then(|o| o.meta.clone())
    }

    fn happened(&mut self, about: PeerId, news: News, own: Option<News>) {
        let happened = Happened { about, news, own };
        let told: Vec<_> = self.room.occupants().iter().filter(|o| happened.concerns(o.peer)).collect();
        assert!(!told.is_empty(), "nothing is encoded for nobody");
        for one in told {
            self.clients[one.member].sent_at_once.extend(happened.news_for(one.peer).cloned());
        }
        self.gathered.add(happened);
    }

    /// The room as it is now, as that peer, which is here, sees it.
    fn view(&self, peer: PeerId) -> (usize, View) {
        let seen = self.room.seen_by(peer);
        let view = seen.map(|peer| (peer.id, (peer.meta, peer.polite, peer.away_until_ms))).collect();
        (self.room.occupant(peer).expect("a message to a peer that is not here").member, view)
    }

    fn welcome(&mut self, peer: PeerId) {
        let (who, view) = self.view(peer);
        let client = &mut self.clients[who];
        (client.sent, client.sent_at_once) = (Vec::new(), vec![News::Welcome(view.clone())]);
        client.asked = false;
        self.gathered.welcome(peer, News::Welcome(view));
    }

    fn resync(&mut self, peer: PeerId) {
        let (who, view) = self.view(peer);
        let client = &mut self.clients[who];
        let is_new = client.sent.is_empty();
        if !std::mem::replace(&mut client.asked, true) && !is_new {
            client.sent_at_once.push(News::Whole(view.clone()));
        }
        self.gathered.resync(peer, News::Whole(view));
    }

    /// As the room does it.
    fn notify(&mut self) {
        let mut gathered = std::mem::take(&mut self.gathered);
        let here: Vec<_> = self.room.sorted().into_iter().map(|(peer, _)| peer).collect();
        for one in self.room.occupants() {
            let ForMember { from, whole } = gathered.take_for(one.peer);
            let told = |happened: &Happened| happened.news_for(one.peer).cloned();
            let mut news: Vec<_> = gathered.events(from, one.peer).filter_map(told).collect();
            if let Some((at, whole)) = whole {
                let after = gathered.events(at, one.peer).count();
                news.insert(news.len() - after, whole);
            }
            let client = &mut self.clients[one.member];
            client.sent.extend(news.iter().cloned());
            client.asked = false;
            assert_eq!(client.sent, client.sent_at_once, "what is gathered is sent as if it were sent at once");
            if !news.is_empty() {
                client.mailbox.push_back(Queued { here: here.clone(), news });
            }
        }
    }

    /// Lets every message arrive, and compares what everybody believes with the model.
    fn fall_quiet(&mut self) {
        self.notify();
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
