//! What clients ask a node, and sessions that begin and end.

use std::rc::Rc;

use switchboard::{
    cluster::seats::Departure,
    protocol::{PeerId, ResumeSecret, Who},
    session::resume_buffer::ResumeBuffer,
};

use super::Attempt;
use crate::{
    event::{ClientFrame, Event, Frame, Kind, Post, Refusal, Reply, Room, Then},
    figures::WINDOW,
    session::{Phase, Session},
    world::World,
};

impl World {
    pub(crate) fn client_sent(&mut self, socket: usize, frame: ClientFrame) {
        let n = self.sockets[socket].node;
        if !self.nodes[n].sockets.contains(&socket) {
            return;
        }
        if let Some(ix) = self.sockets[socket].session {
            if self.sessions[ix].socket == Some(socket) {
                self.session_hears(ix, &frame);
            }
            return;
        }
        match frame {
            ClientFrame::Join { .. } | ClientFrame::Resume { .. } if self.nodes[n].draining => {
                self.send_to_client(socket, Frame::Refused(Refusal::Unavailable));
            }
            ClientFrame::Join { room, who, resumable } => self.join(socket, room, who, resumable),
            ClientFrame::Resume { room, peer, secret, ack } => {
                self.resume(Attempt::new(self, socket, room, peer, secret, ack));
            }
            _ => {}
        }
    }

    fn join(&mut self, socket: usize, room: Room, who: Who, resumable: bool) {
        let n = self.sockets[socket].node;
        if !self.is_connected(n) || self.nodes[n].settling {
            return self.send_to_client(socket, Frame::Refused(Refusal::Unavailable));
        }
        let peer = self.new_peer();
        let mailbox = self.kernel.pipe(0, 6);
        let mut session = Session::new(n, room, peer, who, resumable, mailbox);
        session.socket = Some(socket);
        let ix = self.sessions.len();
        self.sessions.push(session);
        self.sockets[socket].session = Some(ix);
        self.nodes[n].sessions.insert(peer, ix);
        self.replica(n, room);
        self.command(n, room, Kind::Join(peer, who, resumable), Then::Joined(ix));
    }

    pub(super) fn join_answered(&mut self, n: usize, room: Room, ix: usize, reply: Reply) {
        let peer = self.sessions[ix].peer;
        let refusal = match reply {
            Reply::Joined(snapshot) => {
                self.begin_replica(n, room, &snapshot);
                if self.nodes[n].sessions.get(&peer) != Some(&ix) {
                    self.command(n, room, Kind::Leave(peer, Departure::Disconnected), Then::Nothing);
                }
                return;
            }
            Reply::Refused(refusal) => refusal,
            _ => Refusal::Unavailable,
        };
        if self.still_waits(ix) {
            let socket = self.sessions[ix].socket;
            self.over(ix, false);
            if let Some(socket) = socket {
                self.sockets[socket].session = None;
                self.send_to_client(socket, Frame::Refused(refusal));
            }
        }
        self.forget_unused(n, room);
    }

    pub(crate) fn leave(&mut self, ix: usize, departure: Departure) {
        let session = &self.sessions[ix];
        let (n, room, peer, socket) = (session.node, session.room, session.peer, session.socket);
        self.command(n, room, Kind::Leave(peer, departure), Then::Nothing);
        if let Some(socket) = socket {
            self.sockets[socket].session = None;
        }
        self.over(ix, false);
    }

    /// The session is not this node's any more.
    pub(super) fn over(&mut self, ix: usize, moved: bool) {
        let session = &mut self.sessions[ix];
        (session.phase, session.socket) = (Phase::Over, None);
        let (n, room, peer) = (session.node, session.room, session.peer);
        self.nodes[n].sessions.remove(&peer);
        if !moved {
            self.truth.ended(peer, false);
        }
        for other in self.local(n, room) {
            if self.sessions[other].release.as_ref().is_some_and(|release| release.awaits(peer)) {
                self.post(other, Post::Confirmed(peer));
            }
        }
    }

    pub(crate) fn socket_lost(&mut self, socket: usize) {
        let n = self.sockets[socket].node;
        self.nodes[n].sockets.remove(&socket);
        if let Some(ix) = self.sockets[socket].session
            && self.sessions[ix].socket == Some(socket)
        {
            self.lost(ix);
        }
    }

    /// The socket is gone: the session is parked, or over.
    pub(crate) fn lost(&mut self, ix: usize) {
        let session = &mut self.sessions[ix];
        session.socket = None;
        // One that joins enters, and is lost then.
        if matches!(session.phase, Phase::Joining | Phase::Adopting) || session.release.is_some() {
            return;
        }
        if !session.buffer.as_ref().is_some_and(ResumeBuffer::may_park) {
            return self.leave(ix, Departure::Disconnected);
        }
        let (n, room, peer) = (session.node, session.room, session.peer);
        self.command(n, room, Kind::Away(peer), Then::Nothing);
        let parked = self.unique();
        self.sessions[ix].parked = Some(parked);
        self.later(n, WINDOW, Event::WindowOver(ix, parked));
    }

    pub(crate) fn window_over(&mut self, ix: usize, parked: u64) {
        let session = &self.sessions[ix];
        let here = self.nodes[session.node].sessions.get(&session.peer) == Some(&ix);
        if here && session.parked == Some(parked) && session.socket.is_none() && session.release.is_none() {
            self.leave(ix, Departure::Timeout);
        }
    }

    pub(crate) fn asked_to_release(&mut self, n: usize, _room: Room, peer: PeerId, secret: &ResumeSecret) {
        if let Some(ix) = self.nodes[n].sessions.get(&peer).copied() {
            let session = &self.sessions[ix];
            if session.phase == Phase::Inside && session.buffer.as_ref().is_some_and(|buffer| buffer.knows(secret)) {
                self.release(ix);
            }
        }
    }

    pub(crate) fn drain_session(&mut self, ix: usize) {
        let session = &self.sessions[ix];
        if session.phase != Phase::Inside {
            return;
        }
        if session.buffer.as_ref().is_some_and(ResumeBuffer::may_park) {
            return self.release(ix);
        }
        if let Some(socket) = session.socket {
            self.say_uncounted(ix, Frame::Bye);
            self.close_from_server(socket);
        }
        self.leave(ix, Departure::Draining);
    }

    pub(super) fn record(&mut self, ix: usize, mark: (u64, u64)) -> Option<Kind> {
        let session = &mut self.sessions[ix];
        let buffer = session.buffer.take()?;
        let record = crate::event::Record { buffer, seats: session.seats.clone(), mark };
        Some(Kind::Release(session.peer, Rc::new(record)))
    }
}
