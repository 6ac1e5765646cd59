//! Signals of one turn on their way to other nodes: what one peer sends to several of them, which comes to as many ports, is one
//! question to the cluster. Each receiver's order stays as it was posted. Pure: no lock, no actix.

use std::{collections::HashMap, sync::Weak};

use super::port::{Held, Sending};
use crate::{
    messages::{inbox::Mark, session::Member},
    protocol::{PeerId, RoomName, SignalKind, TextFrame},
};

/// A signal as it came to the port of one peer of another node.
#[derive(Debug)]
pub struct Posted {
    /// Who sends.
    pub from: PeerId,
    /// Who it is for.
    pub to: PeerId,
    /// What it is.
    pub kind: SignalKind,
    /// As it is written to the receiver's socket.
    pub frame: TextFrame,
    /// On whose account it is.
    pub account: Account,
}

/// A signal that waits in the inbox of a peer of another node, until this is dropped.
#[derive(Debug)]
pub struct Account {
    /// Whose. Not for longer than that peer is there.
    pub receiver: Weak<Member>,
    /// Who sent it.
    pub from: PeerId,
    /// Its bytes.
    pub bytes: usize,
    /// How it was admitted.
    pub mark: Mark,
}

impl Drop for Account {
    fn drop(&mut self) {
        if let Some(receiver) = self.receiver.upgrade() {
            receiver.inbox.dropped(self.from, self.bytes, self.mark);
        }
    }
}

/// What has been gathered. `B` is what is to happen behind the signals that were posted before it.
///
/// Bounded as the receivers' inboxes are, which all of it is on the account of.
#[derive(Debug)]
pub(super) struct Gathering<B> {
    gathered: Vec<Place<B>>,
    /// Where the signal with that frame is, by the frame's address, which nobody else has as long as it is here.
    signals: HashMap<(PeerId, usize), usize>,
    /// For each receiver, how much has been gathered with what came last for it.
    ends: HashMap<PeerId, usize>,
}

#[derive(Debug)]
enum Place<B> {
    Signal { from: PeerId, to: Vec<PeerId>, kind: SignalKind, frame: TextFrame, accounts: Vec<Account> },
    Behind(B),
}

/// One thing to do, in order.
pub(super) enum Gathered<B> {
    Signal(Box<Sending>),
    Behind(B),
}

impl<B> Default for Gathering<B> {
    fn default() -> Self {
        Self { gathered: Vec::new(), signals: HashMap::new(), ends: HashMap::new() }
    }
}

impl<B> Gathering<B> {
    /// A signal came to a port. Whether it is the first thing of its turn.
    pub(super) fn add(&mut self, posted: Posted) -> bool {
        let Posted { from, to, kind, frame, account } = posted;
        let (first, name) = (self.gathered.is_empty(), (from, frame.as_bytes().as_ptr().addr()));
        let end = self.ends.get(&to).copied().unwrap_or_default();
        // To another of its receivers it came before. Not to one place with it if something for this one came in between.
        let same = self.signals.get(&name).copied().filter(|at| *at >= end);
        let at = same.unwrap_or(self.gathered.len());
        if let Some(Place::Signal { to: receivers, accounts, .. }) = self.gathered.get_mut(at) {
            receivers.push(to);
            accounts.push(account);
        } else {
            self.gathered.push(Place::Signal { from, to: vec![to], kind, frame, accounts: vec![account] });
            self.signals.insert(name, at);
        }
        self.ends.insert(to, at + 1);
        first
    }

    /// This is to happen behind all that has come to the port of that peer. Whether it is the first thing of its turn.
    pub(super) fn add_behind(&mut self, to: PeerId, behind: B) -> bool {
        let first = self.gathered.is_empty();
        self.gathered.push(Place::Behind(behind));
        self.ends.insert(to, self.gathered.len());
        first
    }

    /// All of it, in order.
    pub(super) fn take(&mut self, room: &RoomName) -> Vec<Gathered<B>> {
        self.signals.clear();
        self.ends.clear();
        let gathered = std::mem::take(&mut self.gathered).into_iter();
        let one = |place| match place {
            Place::Behind(behind) => Gathered::Behind(behind),
            Place::Signal { from, to, kind, frame, accounts } => {
                let held = Held(Some(Box::new(move || drop(accounts))));
                Gathered::Signal(Box::new(Sending { room: room.clone(), from, to, kind, frame, held }))
            }
        };
        gathered.map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::server::{ServerFrame, encode};

    fn frame(from: PeerId) -> TextFrame {
        encode(&ServerFrame::Signal { from, kind: SignalKind::App, data: "1" })
    }

    fn posted(from: PeerId, to: PeerId, frame: &TextFrame) -> Posted {
        let account = Account { receiver: Weak::new(), from, bytes: 1, mark: Mark::default() };
        Posted { from, to, kind: SignalKind::App, frame: frame.clone(), account }
    }

    /// What was gathered: the receivers of each signal, or the text that came behind.
    fn taken(gathering: &mut Gathering<&'static str>) -> Vec<Result<Vec<PeerId>, &'static str>> {
        let room = RoomName::parse("a", 1).expect("a sane name");
        let one = |one| match one {
            Gathered::Signal(sending) => Ok(sending.to),
            Gathered::Behind(text) => Err(text),
        };
        gathering.take(&room).into_iter().map(one).collect()
    }

    #[test]
    fn one_signal_to_several_is_one_question_and_each_receivers_order_stays() {
        let [ann, bob, cid] = [(); 3].map(|()| PeerId::random());
        let (to_all, to_bob, again) = (frame(ann), frame(ann), frame(ann));
        let mut gathering = Gathering::default();
        assert!(gathering.add(posted(ann, cid, &to_all)), "the first");
        assert!(!gathering.add(posted(ann, bob, &to_bob)));
        // Bob's port comes to what was sent to all only now, behind what was sent to him alone.
        gathering.add(posted(ann, bob, &to_all));
        gathering.add(posted(ann, bob, &again));
        gathering.add_behind(bob, "Ann leaves");
        gathering.add(posted(ann, cid, &again));
        gathering.add_behind(cid, "Ann leaves");
        let expected =
            [Ok(vec![cid]), Ok(vec![bob]), Ok(vec![bob]), Ok(vec![bob, cid]), Err("Ann leaves"), Err("Ann leaves")];
        assert_eq!(taken(&mut gathering), expected);
        assert!(gathering.add_behind(bob, "nothing"), "a new turn");
    }

    /// Two frames with the same bytes are two signals, and one sender's is not another's.
    #[test]
    fn a_burst_to_two_of_them_is_as_many_questions_as_signals() {
        let [ann, bob, cid] = [(); 3].map(|()| PeerId::random());
        let frames: Vec<_> = (0..20).map(|_| frame(ann)).collect();
        let mut gathering = Gathering::default();
        for to in [bob, cid] {
            for frame in &frames {
                let _ = gathering.add(posted(ann, to, frame));
            }
        }
        let all = taken(&mut gathering);
        assert_eq!(all, vec![Ok(vec![bob, cid]); 20]);
    }
}
