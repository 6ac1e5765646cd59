//! Resumes: of a session that is here, or elsewhere.

use std::rc::Rc;

use bytes::Bytes;
use switchboard::{
    cluster::claim::{Missed, replay},
    protocol::{PeerId, ResumeSecret},
};

use crate::{
    event::{Claimed, Event, Frame, Kind, Refusal, Reply, Room, Then},
    figures::ASK_FOR,
    kernel::Time,
    session::{Phase, Session},
    switch::Switch,
    world::World,
};

/// A resume whose session is elsewhere.
#[derive(Debug)]
pub(crate) struct Attempt {
    node: usize,
    socket: usize,
    /// The room.
    pub(crate) room: Room,
    /// The session's peer.
    pub(crate) peer: PeerId,
    secret: ResumeSecret,
    ack: u64,
    until: Time,
    /// What the claim gave.
    pub(crate) answer: Option<Rc<Claimed>>,
}

impl Attempt {
    /// Of the client behind that socket.
    pub(crate) fn new(world: &World, socket: usize, room: Room, peer: PeerId, secret: ResumeSecret, ack: u64) -> Self {
        let until = world.kernel.now + ASK_FOR;
        Self { node: world.sockets[socket].node, socket, room, peer, secret, ack, until, answer: None }
    }
}

impl World {
    pub(super) fn resume(&mut self, attempt: Attempt) {
        let (n, room, peer, socket) = (attempt.node, attempt.room, attempt.peer, attempt.socket);
        self.attempts.push(attempt);
        let at = self.attempts.len() - 1;
        let Some(ix) = self.nodes[n].sessions.get(&peer).copied() else {
            if !self.is_connected(n) || self.nodes[n].settling {
                return self.refuse(at, Refusal::Unavailable);
            }
            self.command(n, room, Kind::Where(peer), Then::Found(at));
            return;
        };
        let session = &self.sessions[ix];
        if session.release.is_some() || session.phase != Phase::Inside {
            return self.send_to_client(socket, Frame::Refused(Refusal::Unavailable));
        }
        self.take_over(ix, at);
    }

    fn refuse(&mut self, at: usize, why: Refusal) {
        let attempt = &self.attempts[at];
        let node = &mut self.nodes[attempt.node];
        if node.adopting.get(&attempt.peer) == Some(&at) {
            node.adopting.remove(&attempt.peer);
        }
        let socket = attempt.socket;
        self.send_to_client(socket, Frame::Refused(why));
    }

    /// The client has the session from now on.
    fn take_over(&mut self, ix: usize, at: usize) {
        let Attempt { node: n, socket, room, secret, ack, .. } = self.attempts[at];
        let next = self.new_secret();
        let session = &mut self.sessions[ix];
        let knows = session.buffer.as_ref().is_some_and(|buffer| buffer.knows(&secret)) && session.room == room;
        let Some(buffer) = session.buffer.as_mut().filter(|_| knows) else {
            return self.refuse(at, Refusal::NotFound);
        };
        let Ok(resumed) = buffer.resume(&secret, ack, next) else {
            let detail = format!("{:?} {ack}", session.peer);
            return self.fail("impossible ack in a resume", &detail);
        };
        let (peer, before) = (session.peer, session.socket);
        if let Some(before) = before {
            self.send_to_client(before, Frame::Bye);
            self.close_from_server(before);
        }
        self.sessions[ix].socket = Some(socket);
        self.sessions[ix].parked = None;
        self.sockets[socket].session = Some(ix);
        let peers = (!resumed.complete).then(|| self.sessions[ix].peers());
        let (complete, ack) = (Some(resumed.complete), Some(resumed.ack));
        self.say_uncounted(ix, Frame::Joined { peer, complete, ack, peers, secret: Some(next) });
        for frame in resumed.replay {
            let frame = self.frame(&frame);
            self.send_to_client(socket, frame);
        }
        if !self.nodes[n].sockets.contains(&socket) {
            return self.lost(ix);
        }
        if before.is_none() {
            self.command(n, room, Kind::Back(peer), Then::Nothing);
        }
    }

    /// The frame that was kept as these bytes.
    fn frame(&self, bytes: &Bytes) -> Frame {
        let number: [u8; 8] = bytes[..8].try_into().expect("as it was written");
        self.frames[usize::try_from(u64::from_le_bytes(number)).expect("an index")].clone()
    }

    pub(super) fn found(&mut self, at: usize, reply: Reply) {
        let attempt = &self.attempts[at];
        let (n, room, peer, secret) = (attempt.node, attempt.room, attempt.peer, attempt.secret);
        if !self.nodes[n].sockets.contains(&attempt.socket) {
            return self.refuse(at, Refusal::Unavailable);
        }
        if let Reply::Nowhere = reply {
            return self.refuse(at, Refusal::NotFound);
        }
        if let Some(ix) = self.nodes[n].sessions.get(&peer).copied() {
            let session = &self.sessions[ix];
            if session.release.is_some() || session.phase != Phase::Inside {
                return self.refuse(at, Refusal::Unavailable);
            }
            return self.take_over(ix, at);
        }
        match reply {
            Reply::InStore if !self.nodes[n].adopting.contains_key(&peer) => {
                self.nodes[n].adopting.insert(peer, at);
                self.replica(n, room);
                self.command(n, room, Kind::Claim(peer, secret), Then::Claimed(at));
            }
            Reply::At(owner) if self.kernel.now <= attempt.until => {
                self.command(n, room, Kind::Ask(owner, peer, secret), Then::Nothing);
                self.later(n, 30, Event::AskAgain(at));
            }
            _ => self.refuse(at, Refusal::Unavailable),
        }
    }

    pub(crate) fn ask_again(&mut self, at: usize) {
        let Attempt { node, room, peer, .. } = self.attempts[at];
        self.command(node, room, Kind::Where(peer), Then::Found(at));
    }

    pub(super) fn claim_answered(&mut self, at: usize, reply: Reply) {
        let Attempt { node: n, room, peer, .. } = self.attempts[at];
        let Reply::Claimed(claimed) = reply else {
            let why = if matches!(reply, Reply::Nowhere) { Refusal::NotFound } else { Refusal::Unavailable };
            self.refuse(at, why);
            if let Some(ix) = self.nodes[n].sessions.get(&peer).copied()
                && self.sessions[ix].phase == Phase::Adopting
            {
                self.over(ix, false);
            }
            return self.forget_unused(n, room);
        };
        self.attempts[at].answer = Some(claimed.clone());
        self.begin_replica(n, room, &claimed.snapshot);
        self.adopt_if_both(at);
    }

    /// Its place in the order is here: what is posted to it from now on waits for the record.
    pub(super) fn install(&mut self, at: usize, missed: bool) {
        let Attempt { node: n, room, peer, .. } = self.attempts[at];
        if self.nodes[n].sessions.contains_key(&peer) {
            return;
        }
        let who = self.nodes[n].replicas[&room].replica.seats().get(&peer).and_then(|seat| seat.who);
        let Some(who) = who else { return };
        let mailbox = self.kernel.pipe(0, 6);
        let mut session = Session::new(n, room, peer, who, true, mailbox);
        (session.phase, session.seated, session.missed) = (Phase::Adopting, true, missed);
        session.seats = self.nodes[n].replicas[&room].replica.seats().clone();
        let ix = self.sessions.len();
        self.sessions.push(session);
        self.nodes[n].departed.remove(&peer);
        self.nodes[n].sessions.insert(peer, ix);
        self.adopt_if_both(at);
    }

    /// Goes on when both are there: the place in the order, and the record.
    fn adopt_if_both(&mut self, at: usize) {
        let Attempt { node: n, room, peer, .. } = self.attempts[at];
        let (Some(claimed), Some(ix)) = (self.attempts[at].answer.clone(), self.nodes[n].sessions.get(&peer).copied())
        else {
            return;
        };
        if self.sessions[ix].phase != Phase::Adopting {
            return;
        }
        self.nodes[n].adopting.remove(&peer);
        let releasing: Vec<_> = self.local(n, room);
        let releasing: Vec<_> = releasing.into_iter().filter(|other| self.sessions[*other].release.is_some()).collect();
        let releasing: Vec<_> = releasing.into_iter().map(|other| self.sessions[other].peer).collect();
        let session = &mut self.sessions[ix];
        session.buffer = Some(claimed.record.buffer.detached());
        session.phase = Phase::Inside;
        for peer in releasing {
            session.routes.releasing(peer);
        }
        let at_claim = std::mem::replace(&mut session.seats, claimed.record.seats.clone());
        if let Some(since) = claimed.since.as_ref().filter(|_| self.keeps(Switch::ReplayTheStream)) {
            for missed in replay(&claimed.record.seats, since, peer) {
                match missed {
                    Missed::News(news) => self.say(ix, Frame::News(news)),
                    Missed::Signal(signal) => self.say(ix, Frame::Signal { from: signal.sender, uid: signal.data }),
                }
            }
        }
        let session = &mut self.sessions[ix];
        session.seats = at_claim;
        if claimed.since.is_none() || session.missed {
            session.buffer.as_mut().expect("set above").lost();
            self.count("claims with a gap");
        }
        let waiting = std::mem::take(&mut self.sessions[ix].waiting);
        self.take_over(ix, at);
        for post in waiting {
            self.handle_post(ix, post);
        }
    }
}
