//! One session on one node: its counts, what it knows of the room, and which way its signals take.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use switchboard::{
    cluster::{Routes, Seats, Signal, To, release::Release, seats::Departure},
    protocol::{PeerId, Who},
    session::resume_buffer::ResumeBuffer,
};

use crate::{
    event::{ClientFrame, Event, Frame, Kind, Post, Room, Then, Uid, size},
    figures::KEEP,
    kernel::PipeId,
    switch::Switch,
    world::World,
};

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its join is under way.
    Joining,
    /// Its record is under way.
    Adopting,
    /// It is in the room.
    Inside,
    /// It is not this node's any more.
    Over,
}

/// One session on one node.
#[derive(Debug)]
pub(crate) struct Session {
    /// The node.
    pub(crate) node: usize,
    /// Its room.
    pub(crate) room: Room,
    /// Its peer.
    pub(crate) peer: PeerId,
    /// Whose it is.
    pub(crate) who: Who,
    /// Whether it may be resumed.
    pub(crate) resumable: bool,
    /// Where it stands.
    pub(crate) phase: Phase,
    /// Its client's connection.
    pub(crate) socket: Option<usize>,
    /// Both counts; none: it is not resumable, or its record is cut.
    pub(crate) buffer: Option<ResumeBuffer>,
    /// The roster that its client knows.
    pub(crate) seats: Arc<Seats>,
    /// Which way its signals take.
    pub(crate) routes: Routes,
    /// Its mailbox.
    mailbox: PipeId,
    /// What came before the record of an adopted session.
    pub(crate) waiting: Vec<Post>,
    /// Its release, once that has begun.
    pub(crate) release: Option<Release>,
    /// When it was parked, as a number.
    pub(crate) parked: Option<u64>,
    /// Whether the replica posts it what happens.
    pub(crate) seated: bool,
    /// Whether something was posted to nobody before it was installed.
    pub(crate) missed: bool,
}

impl Session {
    /// One that joins.
    pub(crate) fn new(node: usize, room: Room, peer: PeerId, who: Who, resumable: bool, mailbox: PipeId) -> Self {
        Self {
            node,
            room,
            peer,
            who,
            resumable,
            phase: Phase::Joining,
            socket: None,
            buffer: None,
            seats: Arc::default(),
            routes: Routes::default(),
            mailbox,
            waiting: Vec::new(),
            release: None,
            parked: None,
            seated: false,
            missed: false,
        }
    }

    /// Whether the replica posts it nothing more.
    pub(crate) fn is_marked(&self) -> bool {
        self.release.as_ref().is_some_and(Release::is_marked)
    }

    fn is_cut(&self) -> bool {
        self.release.as_ref().is_some_and(Release::is_cut)
    }

    /// For `joined`: who is there, with whether this peer is the polite one, and whether that one is away.
    pub(crate) fn peers(&self) -> BTreeMap<PeerId, (bool, bool)> {
        let own = self.seats.get(&self.peer).map_or(u64::MAX, |seat| seat.number);
        let others = self.seats.iter().filter(|(peer, _)| **peer != self.peer);
        others.map(|(peer, seat)| (*peer, (seat.number < own, seat.away))).collect()
    }
}

impl World {
    /// Puts something into a session's mailbox.
    pub(crate) fn post(&mut self, ix: usize, post: Post) {
        let guard = self.guard(self.sessions[ix].node);
        self.kernel.send(self.sessions[ix].mailbox, guard, Event::Mail(ix, post));
    }

    pub(crate) fn handle_post(&mut self, ix: usize, post: Post) {
        let session = &mut self.sessions[ix];
        match session.phase {
            Phase::Adopting => session.waiting.push(post),
            Phase::Over => match post {
                Post::Reroute(_, other) => {
                    let peer = session.peer;
                    self.post(other, Post::Confirmed(peer));
                }
                Post::Deliver(from, uid) => self.deliver_after_the_cut(ix, from, uid),
                _ => {}
            },
            Phase::Joining | Phase::Inside => self.handle_open(ix, post),
        }
    }

    fn handle_open(&mut self, ix: usize, post: Post) {
        let cut = self.sessions[ix].is_cut();
        match post {
            Post::Enter(seats) => self.on_enter(ix, seats),
            Post::News(news, seats) => {
                if !cut {
                    let me = self.nodes[self.sessions[ix].node].me.clone();
                    let session = &mut self.sessions[ix];
                    session.routes.roster(&seats, &me);
                    session.seats = seats;
                    if let Some(news) = news.filter(|news| news.subject() != session.peer) {
                        self.say(ix, Frame::News(news));
                    }
                }
            }
            Post::Deliver(from, uid) => {
                if cut {
                    if self.keeps(Switch::FlushBeforeRelease) {
                        self.fail("something was posted behind the mark", &format!("{:?}", self.sessions[ix].peer));
                    }
                    self.deliver_after_the_cut(ix, from, uid);
                } else if self.sessions[ix].seats.contains_key(&from) {
                    self.say(ix, Frame::Signal { from, uid });
                } else {
                    self.count("signals of who is gone");
                }
            }
            Post::Applied(number) => {
                self.sessions[ix].routes.arrived(number);
            }
            Post::Reroute(peer, other) => {
                let session = &mut self.sessions[ix];
                session.routes.releasing(peer);
                let me = session.peer;
                self.post(other, Post::Confirmed(me));
            }
            Post::Confirmed(peer) => {
                if let Some(release) = &mut self.sessions[ix].release {
                    release.confirmed(peer);
                    self.mark(ix);
                }
            }
            Post::Gap => self.on_gap(ix),
            Post::Mark(life, n) => self.cut_record(ix, (life, n)),
        }
    }

    /// With the order of releases broken, what still comes is sent on, late.
    fn deliver_after_the_cut(&mut self, ix: usize, from: PeerId, uid: Uid) {
        let session = &self.sessions[ix];
        if session.is_cut() && !self.keeps(Switch::FlushBeforeRelease) {
            let (n, room, peer) = (session.node, session.room, session.peer);
            self.send_through_the_log(n, room, None, (from, uid), To::Peers(vec![peer]), (Vec::new(), 0));
        }
    }

    fn send_through_the_log(
        &mut self,
        n: usize,
        room: Room,
        session: Option<usize>,
        (sender, data): (PeerId, Uid),
        to: To,
        (served, seen): (Vec<PeerId>, u64),
    ) -> Option<u64> {
        let origin = self.nodes[n].me.clone();
        let signal = Signal { sender, to, served, seen, origin, number: 0, data };
        self.command(n, room, Kind::Signal(signal), session.map_or(Then::Nothing, Then::Signal))
    }

    fn on_enter(&mut self, ix: usize, seats: Arc<Seats>) {
        let session = &self.sessions[ix];
        if session.phase != Phase::Joining {
            return;
        }
        let (n, room, peer, resumable) = (session.node, session.room, session.peer, session.resumable);
        let others = self.nodes[n].sessions.values().map(|other| &self.sessions[*other]);
        let releasing = others.filter(|other| other.room == room && other.release.is_some());
        let releasing: Vec<_> = releasing.map(|other| other.peer).collect();
        let secret = resumable.then(|| self.new_secret());
        let session = &mut self.sessions[ix];
        (session.phase, session.seats) = (Phase::Inside, seats);
        for peer in releasing {
            session.routes.releasing(peer);
        }
        session.buffer = secret.map(ResumeBuffer::new);
        let peers = Some(session.peers());
        self.say_uncounted(ix, Frame::Joined { peer, complete: None, ack: None, peers, secret });
        if self.sessions[ix].socket.is_none() {
            self.lost(ix);
        }
    }

    fn on_gap(&mut self, ix: usize) {
        let session = &mut self.sessions[ix];
        if self.broken == Some(Switch::CutOnGap) && session.socket.is_some() {
            return self.tell_gap_at_once(ix);
        }
        if let Some(buffer) = &mut session.buffer {
            buffer.lost();
        }
        if let Some(socket) = session.socket {
            self.say_uncounted(ix, Frame::Bye);
            self.close_from_server(socket);
            self.lost(ix);
        }
    }

    /// What was tried first: an unasked `joined` on the open connection. It crosses frames that are on their way.
    fn tell_gap_at_once(&mut self, ix: usize) {
        let next = self.new_secret();
        let session = &mut self.sessions[ix];
        let Some(before) = session.buffer.replace(ResumeBuffer::new(next)) else { return };
        let (peer, peers, ack) = (session.peer, Some(session.peers()), Some(before.ack()));
        let buffer = session.buffer.as_mut().expect("set above");
        if before.may_park() {
            buffer.confirm();
        }
        self.say_uncounted(ix, Frame::Joined { peer, complete: Some(false), ack, peers, secret: Some(next) });
    }

    /// A frame that counts.
    pub(crate) fn say(&mut self, ix: usize, frame: Frame) {
        if let Some(buffer) = &mut self.sessions[ix].buffer {
            let bytes = if let Frame::Signal { uid, .. } = &frame { size(*uid) } else { 40 };
            let mut bytes = vec![0; bytes];
            bytes[..8].copy_from_slice(&(self.frames.len() as u64).to_le_bytes());
            buffer.record(&Bytes::from(bytes), KEEP);
            self.frames.push(frame.clone());
        }
        self.say_uncounted(ix, frame);
    }

    /// A frame that does not: `joined`, `pong`, `bye`.
    pub(crate) fn say_uncounted(&mut self, ix: usize, frame: Frame) {
        if let Some(socket) = self.sessions[ix].socket {
            self.send_to_client(socket, frame);
        }
    }

    pub(crate) fn session_hears(&mut self, ix: usize, frame: &ClientFrame) {
        let session = &mut self.sessions[ix];
        if session.release.is_some() || session.phase != Phase::Inside {
            return;
        }
        if let Some(buffer) = &mut session.buffer {
            buffer.confirm();
        }
        if let ClientFrame::Ping(ack) = *frame {
            let answer = session.buffer.as_mut().map(|buffer| (buffer.acked(ack), buffer.ack()));
            if matches!(answer, Some((Err(_), _))) {
                let detail = format!("{:?} {ack}", session.peer);
                self.fail("impossible ack", &detail);
            }
            return self.say_uncounted(ix, Frame::Pong(answer.map(|(_, handled)| handled)));
        }
        if let Some(buffer) = &mut session.buffer {
            buffer.handled();
        }
        match *frame {
            ClientFrame::Signal { uid, to } => self.relay(ix, uid, to),
            ClientFrame::Moderate(what) => {
                let (n, room) = (session.node, session.room);
                self.command(n, room, Kind::Moderate(what), Then::Nothing);
            }
            ClientFrame::Leave => {
                self.say(ix, Frame::Left);
                self.leave(ix, Departure::Left);
            }
            ClientFrame::Ping(_) | ClientFrame::Join { .. } | ClientFrame::Resume { .. } => {}
        }
    }

    fn relay(&mut self, ix: usize, uid: Uid, to: Option<PeerId>) {
        let session = &self.sessions[ix];
        let (n, room, me) = (session.node, session.room, session.peer);
        let others = session.seats.keys().copied().filter(|peer| *peer != me);
        let targets: Vec<_> = others.filter(|peer| to.is_none_or(|to| to == *peer)).collect();
        let seen = session.seats.values().map(|seat| seat.number).max().unwrap_or_default();
        if targets.is_empty() {
            if let Some(to) = to {
                self.say(ix, Frame::Error { uid, peers: vec![to] });
            }
            return;
        }
        if self.truth.expect(uid, me, &targets) {
            self.fail("a frame was handled twice", &format!("{uid} {me:?}"));
        }
        let (near, far): (Vec<_>, Vec<_>) = targets.into_iter().partition(|peer| self.is_near(ix, *peer));
        for peer in &near {
            let node = &self.nodes[n];
            let receiver = node.address(*peer).expect("it is near");
            self.count("signals near");
            self.post(receiver, Post::Deliver(me, uid));
        }
        if far.is_empty() {
            return;
        }
        self.count("signals far");
        let to = if to.is_none() { To::All } else { To::Peers(far.clone()) };
        let served = near.into_iter().chain([me]).collect();
        if let Some(number) = self.send_through_the_log(n, room, Some(ix), (me, uid), to, (served, seen)) {
            self.sessions[ix].routes.sent(number, far);
        } else {
            self.count("signals refused: the line is full");
            self.say(ix, Frame::Error { uid, peers: far });
        }
    }

    fn is_near(&self, ix: usize, peer: PeerId) -> bool {
        let session = &self.sessions[ix];
        let node = &self.nodes[session.node];
        let near = if self.keeps(Switch::DrainBeforeLocal) {
            session.routes.is_near(peer, &session.seats, &node.me)
        } else {
            let mut routes = session.routes.clone();
            routes.rebuilt(|_| false);
            routes.is_near(peer, &session.seats, &node.me)
        };
        near && node.address(peer).is_some()
    }

    /// A signal did not get as far as Redis.
    pub(crate) fn fail_signal(&mut self, ix: usize, number: u64, uid: Uid) {
        if let Some(peers) = self.sessions[ix].routes.arrived(number) {
            self.say(ix, Frame::Error { uid, peers });
        }
    }
}
