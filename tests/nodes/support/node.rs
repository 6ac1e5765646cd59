//! One node, and what it is told.

use std::{
    sync::mpsc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use switchboard::{
    config::Settings,
    nodes::{
        ClusterConfig, ClusterStatus, Link,
        port::{Ask, FarPeer, Held, JoinTicket, Joining, NodePort, Profile, RoomNow, Sending, Told},
        start,
    },
    protocol::{ErrorCode, LeaveReason, Meta, PeerId, RoomName, SignalKind, TextFrame, Who},
};

use super::{TestRedis, WITHIN, settings};

/// One node. Dropping it is its death: it says nothing more, and leaves nothing.
pub(crate) struct TestNode {
    port: Option<NodePort>,
    told: mpsc::Receiver<Told>,
    /// What was told and not looked for yet.
    kept: Vec<Told>,
    pub(crate) status: ClusterStatus,
    tickets: u64,
}

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::parse(name, 128).expect("a sane name")
}

pub(crate) fn frame(text: &str) -> TextFrame {
    TextFrame::build(text.len(), |out| out.extend(text.bytes()))
}

pub(crate) fn meta(text: &str) -> Meta {
    Meta::parse(text).expect("an object")
}

pub(crate) fn in_a_minute() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("soon enough") + 60_000
}

impl TestNode {
    /// Starts one that is part of the cluster.
    pub(crate) fn start(redis: &TestRedis, name: &str) -> Self {
        let node = Self::with(&settings(redis, name));
        node.is_up();
        node
    }

    pub(crate) fn with(settings: &Settings) -> Self {
        let (port, asked) = NodePort::new();
        let (tell, told) = mpsc::channel();
        let config = ClusterConfig::new(settings).expect("a cluster");
        let status = start(config, asked, move |told| tell.send(told).is_ok()).expect("a thread");
        Self { port: Some(port), told, kept: Vec::new(), status, tickets: 0 }
    }

    /// Waits until Redis is there, and nothing is missing.
    pub(crate) fn is_up(&self) {
        self.becomes(Link::Up);
    }

    pub(crate) fn becomes(&self, link: Link) {
        let began = Instant::now();
        while self.status.get().link != link {
            assert!(began.elapsed() < WITHIN, "the link is {:?}", self.status.get());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it is said why there is no Redis.
    pub(crate) fn fails(&self) -> String {
        let began = Instant::now();
        loop {
            if let Some(error) = self.status.get().error {
                return error;
            }
            assert!(began.elapsed() < WITHIN, "nothing is said: {:?}", self.status.get());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn ask(&self, ask: Ask) {
        assert!(self.port.as_ref().expect("it lives").ask(ask), "the thread is gone");
    }

    /// Asks for a seat; the ticket.
    pub(crate) fn joining(&mut self, room: &RoomName, peer: PeerId, change: impl FnOnce(&mut Joining)) -> JoinTicket {
        self.tickets += 1;
        let ticket = JoinTicket(self.tickets);
        let mut joining = Joining {
            ticket,
            room: room.clone(),
            peer,
            profile: Profile { meta: None, who: None, user: None },
            resumable: true,
            replaces_present: false,
            peers_per_room: 16,
            rooms: 100,
        };
        change(&mut joining);
        self.ask(Ask::Join(Box::new(joining)));
        ticket
    }

    /// Joins; its number, who was replaced, and the room if this node knew nothing of it.
    pub(crate) fn join_as(
        &mut self,
        room: &RoomName,
        peer: PeerId,
        change: impl FnOnce(&mut Joining),
    ) -> (u64, Vec<PeerId>, Option<Box<RoomNow>>) {
        let ours = self.joining(room, peer, change);
        self.expect("a seat", |told| match told {
            Told::Granted { ticket, number, replaced, room } if ticket == ours => Ok((number, replaced, room)),
            Told::Refused { ticket, error } if ticket == ours => panic!("refused: {error:?}"),
            other => Err(other),
        })
    }

    /// Joins.
    pub(crate) fn join(&mut self, room: &RoomName) -> PeerId {
        let peer = PeerId::random();
        self.join_as(room, peer, |_| {});
        peer
    }

    /// Joins as a person.
    pub(crate) fn join_with(&mut self, room: &RoomName, who: Who) -> PeerId {
        let peer = PeerId::random();
        self.join_as(room, peer, |joining| joining.profile.who = Some(who));
        peer
    }

    /// Asks for a seat, and is refused.
    pub(crate) fn is_refused(&mut self, room: &RoomName, change: impl FnOnce(&mut Joining)) -> ErrorCode {
        let ours = self.joining(room, PeerId::random(), change);
        self.expect("a refusal", |told| match told {
            Told::Refused { ticket, error } if ticket == ours => Ok(error.code),
            Told::Granted { ticket, .. } if ticket == ours => panic!("it has a seat"),
            other => Err(other),
        })
    }

    pub(crate) fn leave(&self, room: &RoomName, peer: PeerId) {
        self.ask(Ask::Leave { room: room.clone(), peer, reason: LeaveReason::Left });
    }

    pub(crate) fn send(&self, room: &RoomName, from: PeerId, to: &[PeerId], text: &str) {
        let sending = Sending {
            room: room.clone(),
            from,
            to: to.to_vec(),
            kind: SignalKind::App,
            frame: frame(text),
            held: Held(None),
        };
        self.ask(Ask::Signal(Box::new(sending)));
    }

    /// Waits for something that is told. What does not match is kept for whoever looks for it later, in its order.
    pub(crate) fn expect<T>(&mut self, what: &str, mut wanted: impl FnMut(Told) -> Result<T, Told>) -> T {
        let began = Instant::now();
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        loop {
            let next = kept.next();
            let told = match next {
                Some(told) => told,
                None => match self.told.recv_timeout(WITHIN.saturating_sub(began.elapsed())) {
                    Ok(told) => told,
                    Err(why) => {
                        panic!("{what} did not come ({why}); there were {:#?}, and {:?}", self.kept, self.status.get())
                    }
                },
            };
            match wanted(told) {
                Ok(found) => {
                    self.kept.extend(kept);
                    return found;
                }
                Err(other) => self.kept.push(other),
            }
        }
    }

    pub(crate) fn hears_join(&mut self, who: PeerId) -> (FarPeer, Vec<PeerId>) {
        self.expect("peer_joined", |told| match told {
            Told::Joined { peer, replaced, .. } if peer.peer == who => Ok((peer, replaced)),
            other => Err(other),
        })
    }

    pub(crate) fn hears_leave(&mut self, who: PeerId) -> LeaveReason {
        self.expect("peer_left", |told| match told {
            Told::Left { peer, reason, .. } if peer == who => Ok(reason),
            other => Err(other),
        })
    }

    pub(crate) fn hears_away(&mut self, who: PeerId) -> u64 {
        self.expect("peer_away", |told| match told {
            Told::Away { peer, until_ms, .. } if peer == who => Ok(until_ms),
            other => Err(other),
        })
    }

    pub(crate) fn hears_back(&mut self, who: PeerId) {
        self.expect("peer_back", |told| match told {
            Told::Back { peer, .. } if peer == who => Ok(()),
            other => Err(other),
        });
    }

    /// The next signal, with its text.
    pub(crate) fn hears(&mut self) -> (PeerId, Vec<PeerId>, String) {
        self.expect("a signal", |told| match told {
            Told::Signal(signal) => {
                let text = String::from_utf8(signal.frame.json().to_vec()).expect("a text");
                Ok((signal.from, signal.to, text))
            }
            other => Err(other),
        })
    }

    /// What was told and not looked for.
    pub(crate) fn rest(&mut self) -> &[Told] {
        self.kept.extend(self.told.try_iter());
        &self.kept
    }

    /// Dies: its thread ends, and its seats stay.
    pub(crate) fn dies(mut self) {
        drop(self.port.take());
        // The thread drops its end when it is over.
        while self.told.recv_timeout(WITHIN).is_ok() {}
    }
}
