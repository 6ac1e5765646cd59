//! Clients, which keep the books as docs/protocol.md tells them to, and their sockets.

use std::collections::{BTreeMap, BTreeSet};

use switchboard::{
    cluster::News,
    protocol::{PeerId, ResumeSecret, Who},
};

use crate::{
    event::{ClientFrame, Event, Frame, Moderate, Refusal, Room, Uid},
    kernel::{PipeId, Time},
    world::World,
};

/// A connection.
#[derive(Debug)]
pub(crate) struct Socket {
    /// Whose.
    pub(crate) client: usize,
    /// To which node.
    pub(crate) node: usize,
    /// From the client.
    pub(crate) up: PipeId,
    /// To the client.
    pub(crate) down: PipeId,
    /// The session behind it.
    pub(crate) session: Option<usize>,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    /// Who.
    pub(crate) who: Who,
    resumable: bool,
    /// Where it is, or wants to be.
    pub(crate) room: Option<Room>,
    /// Whether it wants to be there.
    pub(crate) wanted: bool,
    /// The node that it connects to.
    pub(crate) node: usize,
    /// Its connection.
    pub(crate) socket: Option<usize>,
    /// Its id.
    pub(crate) peer: Option<PeerId>,
    /// What to resume with.
    pub(crate) secret: Option<ResumeSecret>,
    heard: u64,
    acked: u64,
    /// Frames that were not acknowledged.
    kept: Vec<ClientFrame>,
    /// Whether it is in.
    pub(crate) joined: bool,
    /// Who is there, with whether this client is the polite one, and whether that one is away.
    pub(crate) view: BTreeMap<PeerId, (bool, bool)>,
    gone: BTreeSet<PeerId>,
    last: BTreeMap<PeerId, Uid>,
    tries: u32,
    /// What it was last refused for.
    pub(crate) refused: Option<Refusal>,
}

impl Client {
    /// One that has not been anywhere.
    pub(crate) fn new(who: Who, resumable: bool) -> Self {
        Self {
            who,
            resumable,
            room: None,
            wanted: false,
            node: 0,
            socket: None,
            peer: None,
            secret: None,
            heard: 0,
            acked: 0,
            kept: Vec::new(),
            joined: false,
            view: BTreeMap::new(),
            gone: BTreeSet::new(),
            last: BTreeMap::new(),
            tries: 0,
            refused: None,
        }
    }

    fn begin(&mut self) {
        let mut next = Self::new(self.who, self.resumable);
        (next.room, next.wanted, next.node, next.socket) = (self.room, self.wanted, self.node, self.socket);
        (next.joined, next.refused) = (false, self.refused);
        *self = next;
    }

    fn forget(&mut self, ack: u64) {
        let known = usize::try_from(ack.saturating_sub(self.acked)).unwrap_or(usize::MAX);
        self.kept.drain(..known.min(self.kept.len()));
        self.acked = ack;
    }
}

impl World {
    fn send_to_server(&mut self, socket: usize, frame: ClientFrame) {
        let guard = self.guard(self.sockets[socket].node);
        self.kernel.send(self.sockets[socket].up, guard, Event::FromClient(socket, frame));
    }

    pub(crate) fn send_to_client(&mut self, socket: usize, frame: Frame) {
        self.kernel.send(self.sockets[socket].down, None, Event::ToClient(socket, frame));
    }

    /// What is on the way is lost; each side notices in its own time.
    pub(crate) fn cut(&mut self, socket: usize, noticed: Time) {
        let Socket { node, up, down, .. } = self.sockets[socket];
        self.kernel.close(up);
        self.kernel.close(down);
        let guard = self.guard(node);
        let (by_node, by_client) = (self.kernel.rng.u64(0..=noticed), self.kernel.rng.u64(0..=100));
        self.kernel.after(by_node, guard, Event::SocketLost(socket));
        self.kernel.after(by_client, None, Event::ClientLost(socket));
    }

    pub(crate) fn close_from_server(&mut self, socket: usize) {
        let Socket { node, up, down, .. } = self.sockets[socket];
        self.nodes[node].sockets.remove(&socket);
        self.kernel.close(up);
        self.kernel.send(down, None, Event::ClientLost(socket));
    }

    pub(crate) fn client_connects(&mut self, c: usize) {
        let client = &self.clients[c];
        if client.socket.is_some() || !client.wanted {
            return;
        }
        let takes = |n: &usize| self.nodes[*n].alive && !self.nodes[*n].draining;
        let mut node = client.node;
        if !takes(&node) {
            let live: Vec<usize> = (0..self.nodes.len()).filter(takes).collect();
            if live.is_empty() {
                return self.kernel.after(100, None, Event::Connect(c));
            }
            node = self.kernel.pick(&live);
        }
        let (up, down) = (self.kernel.pipe(1, 8), self.kernel.pipe(1, 8));
        let socket = self.sockets.len();
        self.sockets.push(Socket { client: c, node, up, down, session: None });
        self.nodes[node].sockets.insert(socket);
        let client = &mut self.clients[c];
        (client.node, client.socket) = (node, Some(socket));
        self.client_asks(c);
    }

    pub(crate) fn client_asks(&mut self, c: usize) {
        let client = &self.clients[c];
        let (Some(socket), Some(room)) = (client.socket, client.room) else { return };
        let frame = match (client.secret, client.peer) {
            (Some(secret), Some(peer)) => ClientFrame::Resume { room, peer, secret, ack: client.heard },
            _ => ClientFrame::Join { room, who: client.who, resumable: client.resumable },
        };
        let waits = !client.joined;
        self.send_to_server(socket, frame);
        if waits {
            self.kernel.after(2500, None, Event::Impatient(socket));
        }
    }

    fn is_current(&self, socket: usize) -> Option<usize> {
        let c = self.sockets[socket].client;
        (self.clients[c].socket == Some(socket)).then_some(c)
    }

    pub(crate) fn client_is_impatient(&mut self, socket: usize) {
        if self.is_current(socket).is_some_and(|c| !self.clients[c].joined) {
            self.cut(socket, 400);
        }
    }

    pub(crate) fn client_lost(&mut self, socket: usize) {
        let Some(c) = self.is_current(socket) else { return };
        let client = &mut self.clients[c];
        (client.socket, client.joined) = (None, false);
        if client.peer.is_some() && client.secret.is_none() {
            client.begin();
        }
        let pause = self.kernel.rng.u64(5..=250);
        self.kernel.after(pause, None, Event::Connect(c));
    }

    pub(crate) fn client_leaves(&mut self, c: usize) {
        let client = &mut self.clients[c];
        client.wanted = false;
        match client.socket {
            Some(socket) if client.joined => self.send_to_server(socket, ClientFrame::Leave),
            Some(socket) => {
                client.room = None;
                self.cut(socket, 400);
            }
            None => client.room = None,
        }
    }

    pub(crate) fn client_sends(&mut self, c: usize, to: Option<PeerId>) {
        let client = &self.clients[c];
        if client.peer.is_none() || !client.wanted {
            return;
        }
        let uid = self.truth.next_uid(client.peer);
        self.client_says(c, ClientFrame::Signal { uid, to });
    }

    pub(crate) fn client_moderates(&mut self, c: usize, what: Moderate) {
        if self.clients[c].joined && self.clients[c].wanted {
            self.client_says(c, ClientFrame::Moderate(what));
        }
    }

    /// A frame that counts.
    fn client_says(&mut self, c: usize, frame: ClientFrame) {
        let client = &mut self.clients[c];
        client.kept.push(frame);
        if let Some(socket) = client.socket.filter(|_| client.joined) {
            self.send_to_server(socket, frame);
        }
    }

    pub(crate) fn client_tries_again(&mut self, socket: usize) {
        let Some(c) = self.is_current(socket) else { return };
        let client = &self.clients[c];
        if !client.joined && (client.wanted || client.secret.is_some()) {
            self.client_asks(c);
        }
    }

    pub(crate) fn client_hears(&mut self, socket: usize, frame: Frame) {
        self.tell(|| {
            format!(
                "client {} {:?} {frame:?}",
                self.sockets[socket].client + 1,
                self.clients[self.sockets[socket].client].peer
            )
        });
        let Some(c) = self.is_current(socket) else { return };
        match frame {
            Frame::Pong(ack) => {
                if let Some(ack) = ack {
                    self.clients[c].forget(ack);
                }
            }
            Frame::Bye => {}
            Frame::Refused(why) => self.client_refused(c, socket, why),
            Frame::Joined { peer, complete, ack, peers, secret } => {
                self.client_joined(c, socket, (peer, complete, ack, secret), peers);
            }
            frame => {
                self.clients[c].heard += 1;
                if self.clients[c].joined && self.kernel.rng.u8(0..5) == 0 {
                    let heard = self.clients[c].heard;
                    self.send_to_server(socket, ClientFrame::Ping(heard));
                }
                self.client_news(c, socket, frame);
            }
        }
    }

    fn client_refused(&mut self, c: usize, socket: usize, why: Refusal) {
        let client = &mut self.clients[c];
        client.tries += 1;
        client.refused = Some(why);
        if why == Refusal::NotFound || client.tries > 30 {
            client.begin();
        }
        let pause = self.kernel.rng.u64(20..=200);
        self.kernel.after(pause, None, Event::Again(socket));
        self.count(why.into());
    }

    fn client_joined(
        &mut self,
        c: usize,
        socket: usize,
        (peer, complete, ack, secret): (PeerId, Option<bool>, Option<u64>, Option<ResumeSecret>),
        peers: Option<BTreeMap<PeerId, (bool, bool)>>,
    ) {
        let client = &mut self.clients[c];
        match ack {
            Some(ack) => client.forget(ack),
            None => client.kept.clear(),
        }
        if complete != Some(true) {
            (client.heard, client.acked) = (0, 0);
            client.view = peers.unwrap_or_default();
            client.gone.clear();
            if complete == Some(false) {
                self.truth.incomplete(peer);
            }
        }
        (client.peer, client.secret, client.joined) = (Some(peer), secret, true);
        (client.tries, client.refused) = (0, None);
        let (kept, heard) = (client.kept.clone(), client.heard);
        for frame in kept {
            self.send_to_server(socket, frame);
        }
        self.send_to_server(socket, ClientFrame::Ping(heard));
        if !self.clients[c].wanted {
            self.client_leaves(c);
        }
    }

    fn client_news(&mut self, c: usize, socket: usize, frame: Frame) {
        let client = &mut self.clients[c];
        let name = format!("client {} {:?}", c + 1, client.peer);
        match frame {
            Frame::Signal { from, uid } => {
                let stranger = !client.view.contains_key(&from);
                let last = client.last.entry(from).or_default();
                let late = *last >= uid;
                *last = uid.max(*last);
                let wrong = client.peer.and_then(|peer| self.truth.delivered(uid, peer));
                if stranger {
                    self.fail("a signal from who is not there", &format!("{name} {from:?} {uid}"));
                }
                if late {
                    self.fail("doubled or out of order", &format!("{name} {from:?} {uid}"));
                }
                if let Some(wrong) = wrong {
                    self.fail(wrong, &format!("{name} {uid}"));
                }
            }
            Frame::News(news) => {
                if let Some(wrong) = client.hear(news) {
                    self.fail(wrong, &format!("{name} {news:?}"));
                }
            }
            Frame::Error { uid, peers } => {
                if let Some(wrong) = self.truth.refused(uid, &peers) {
                    self.fail(wrong, &format!("{name} {uid}"));
                }
                self.count("errors to senders");
            }
            Frame::Left | Frame::RoomClosed => {
                client.begin();
                if client.wanted {
                    let pause = self.kernel.rng.u64(5..=100);
                    self.kernel.after(pause, None, Event::Again(socket));
                }
            }
            Frame::Joined { .. } | Frame::Pong(_) | Frame::Bye | Frame::Refused(_) => {}
        }
    }
}

impl Client {
    /// Keeps the view; says what is wrong with the news.
    fn hear(&mut self, news: News) -> Option<&'static str> {
        match news {
            News::Joined { peer, .. } => {
                let known = self.view.insert(peer, (false, false)).is_some();
                (known || self.gone.contains(&peer)).then_some("joined twice")
            }
            News::Left { peer } => {
                self.gone.insert(peer);
                self.view.remove(&peer).is_none().then_some("left without being there")
            }
            // Nobody has any in the model.
            News::Updated { .. } => None,
            News::Away { peer } | News::Back { peer } => match self.view.get_mut(&peer) {
                Some(seen) => {
                    seen.1 = matches!(news, News::Away { .. });
                    None
                }
                None => Some("away or back of who is not there"),
            },
        }
    }
}
