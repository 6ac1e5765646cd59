//! Releases: a session is given to the store.

use switchboard::cluster::release::Release;

use crate::{
    event::{Event, Frame, Post, Then},
    figures::TIMING,
    session::Phase,
    switch::Switch,
    world::World,
};

impl World {
    /// Begins.
    pub(crate) fn release(&mut self, ix: usize) {
        let session = &self.sessions[ix];
        if session.release.is_some() || session.phase != Phase::Inside || session.buffer.is_none() {
            return;
        }
        let (n, room, peer) = (session.node, session.room, session.peer);
        let others: Vec<_> = self.local(n, room).into_iter().filter(|other| *other != ix).collect();
        let others = others.into_iter().filter(|other| self.sessions[*other].phase == Phase::Inside);
        let others: Vec<_> = others.filter(|_| self.keeps(Switch::FlushBeforeRelease)).collect();
        let peers: Vec<_> = others.iter().map(|other| self.sessions[*other].peer).collect();
        self.sessions[ix].release = Some(Release::begin(peers));
        if let Some(socket) = self.sessions[ix].socket {
            self.say_uncounted(ix, Frame::Bye);
            self.close_from_server(socket);
            self.sessions[ix].socket = None;
        }
        for other in others {
            self.post(other, Post::Reroute(peer, ix));
        }
        self.mark(ix);
    }

    /// Sets the mark, when all have confirmed.
    pub(crate) fn mark(&mut self, ix: usize) {
        let session = &self.sessions[ix];
        let (n, room) = (session.node, session.room);
        let ready = session.release.as_ref().is_some_and(Release::may_mark) && session.phase == Phase::Inside;
        let node = &self.nodes[n];
        let Some(held) = node.replicas.get(&room).filter(|_| ready) else { return };
        if node.settling {
            // The order is being agreed on.
            return self.later(n, TIMING.beat, Event::Mark(ix));
        }
        let head = held.replica.head();
        // From here on the replica posts it nothing more; what its mailbox has is before the mark.
        self.sessions[ix].release.as_mut().expect("it is ready").mark();
        self.post(ix, Post::Mark(head.life, head.n));
    }

    /// The mark is reached: what comes later is for whoever claims the record.
    pub(crate) fn cut_record(&mut self, ix: usize, mark: (u64, u64)) {
        let session = &mut self.sessions[ix];
        let (n, room) = (session.node, session.room);
        if let Some(release) = &mut session.release {
            release.cut();
        }
        if let Some(kind) = self.record(ix, mark) {
            self.command(n, room, kind, Then::Nothing);
        }
    }
}
