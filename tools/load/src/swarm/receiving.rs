//! What peers receive: understood by the dialect, checked in every way that can be, counted, and noted for the scenario.

use super::{Note, Phase, Swarm};
use crate::{
    dialect::{Name, Received},
    payload::name_hash,
};

impl Swarm {
    /// One text came for `who`.
    pub(super) fn receive(&mut self, who: u32, text: &[u8]) {
        let me = self.peers[who as usize].identity;
        self.text.clear();
        let received = self.dialect.receive(&me, text, &mut self.text);
        if !self.text.is_empty() {
            self.write(who);
        }
        if matches!(
            received,
            Received::Signal { .. } | Received::PeerJoined(_) | Received::PeerLeft | Received::Refused
        ) {
            self.peers[who as usize].handled += 1;
        }
        match received {
            Received::Signal { from, data } => self.received_signal(who, from, data),
            Received::Joined { me, others } => self.received_joined(who, me, others),
            Received::PeerJoined(name) => match Name::new(name) {
                Some(name) => self.notes.push_back((who, Note::PeerJoined(name))),
                None => self.tally.unknown(text),
            },
            Received::Refused => self.tally.refused(text),
            Received::Unknown => self.tally.unknown(text),
            Received::PeerLeft | Received::Nothing => {}
        }
    }

    fn received_joined(&mut self, who: u32, name: Option<&[u8]>, others: Option<u32>) {
        let now = self.clock.now();
        let room_size = self.setup.room_size;
        let peer = &mut self.peers[who as usize];
        if let Some(name) = name.and_then(Name::new) {
            peer.identity.name = name;
        }
        if peer.phase != Phase::Joining || others.is_some_and(|n| n >= room_size.max(1)) {
            self.tally.trouble("joined twice, or among too many");
            return;
        }
        peer.phase = Phase::Joined;
        self.tally.joined(now - peer.opened_at);
        self.notes.push_back((who, Note::Joined));
    }

    /// Everything that can be checked of a signal: bytes, sender, receiver, room, order.
    fn received_signal(&mut self, who: u32, from: &[u8], data: &[u8]) {
        let Some((kind, stamp)) = self.payloads.check(data) else {
            self.tally.corrupt += 1;
            self.tally.trouble("a signal came through changed");
            return;
        };
        let me = &self.peers[who as usize].identity;
        let for_me = stamp.receiver == 0 || stamp.receiver == name_hash(me.name.as_bytes());
        let sender = self.peers.get(stamp.sender as usize).map(|p| p.identity);
        let Some(sender) = sender.filter(|s| for_me && s.room == me.room && s.name.as_bytes() == from) else {
            self.tally.misdirected += 1;
            return;
        };
        let slot = (sender.index % self.setup.room_size.max(1)) as usize;
        let last = &mut self.peers[who as usize].received[slot];
        if stamp.number <= *last {
            self.tally.misordered += 1;
        }
        *last = stamp.number;
        self.tally.delivered += 1;
        self.notes.push_back((who, Note::Signal { kind, stamp }));
    }
}

#[cfg(test)]
mod tests {
    use mio::Poll;

    use super::*;
    use crate::{
        dialect::Protocol,
        payload::Kind,
        swarm::{Setup, Tally},
    };

    const IDS: [&str; 3] =
        ["0000000000000000000000000000000a", "0000000000000000000000000000000b", "0000000000000000000000000000000c"];

    /// Two rooms, `[0, 1]` and `[2]`, all joined, without sockets.
    fn swarm() -> Swarm {
        let setup = Setup {
            secure: None,
            target: ([127, 0, 0, 1], 1).into(),
            protocol: Protocol::Switchboard,
            peers: 3,
            room_size: 2,
            sources: 1,
            payload: 300,
            beat: 0,
        };
        let mut swarm = Swarm::new(setup, Poll::new().unwrap().registry().try_clone().unwrap());
        for (who, id) in (0..).zip(IDS) {
            swarm.peers[who as usize].phase = Phase::Joining;
            swarm.receive(who, format!(r#"{{"type":"joined","self":{{"id":"{id}"}},"peers":[]}}"#).as_bytes());
        }
        assert_eq!(swarm.tally.joined, 3);
        swarm.notes.clear();
        swarm
    }

    /// The text that `to` receives when the server is honest and `from` sends it a signal.
    fn relayed(swarm: &mut Swarm, from: u32, to: u32) -> String {
        swarm.signal(from, to, Kind::Offer, 5);
        let data = String::from_utf8(swarm.data.clone()).unwrap();
        format!(r#"{{"type":"signal","from":"{}","kind":"offer","data":{data}}}"#, IDS[from as usize])
    }

    fn counts(tally: &Tally) -> [u64; 4] {
        [tally.delivered, tally.corrupt, tally.misdirected, tally.misordered]
    }

    #[test]
    fn an_honest_relay_delivers() {
        let mut swarm = swarm();
        let text = relayed(&mut swarm, 0, 1);
        swarm.receive(1, text.as_bytes());
        assert_eq!((counts(&swarm.tally), swarm.tally.lost()), ([1, 0, 0, 0], 0));
        assert!(
            matches!(swarm.notes.pop_back(), Some((1, Note::Signal { kind: Kind::Offer, stamp })) if stamp.time == 5)
        );
    }

    #[test]
    fn a_changed_byte_is_corruption_and_the_message_lost() {
        let mut swarm = swarm();
        let text = relayed(&mut swarm, 0, 1).replace("opus", "Opus");
        swarm.receive(1, text.as_bytes());
        assert_eq!((counts(&swarm.tally), swarm.tally.lost()), ([0, 1, 0, 0], 1));
    }

    #[test]
    fn a_wrong_receiver_room_or_sender_is_misdirection() {
        let mut swarm = swarm();
        let text = relayed(&mut swarm, 0, 1);
        swarm.receive(0, text.as_bytes());
        swarm.receive(2, text.as_bytes());
        swarm.receive(1, text.replace(IDS[0], IDS[2]).as_bytes());
        assert_eq!(counts(&swarm.tally), [0, 0, 3, 0]);
    }

    #[test]
    fn a_repeated_or_overtaken_message_is_disorder() {
        let mut swarm = swarm();
        let [first, second] = [relayed(&mut swarm, 0, 1), relayed(&mut swarm, 0, 1)];
        for text in [&second, &first, &second] {
            swarm.receive(1, text.as_bytes());
        }
        assert_eq!(counts(&swarm.tally), [3, 0, 0, 1]);
    }

    #[test]
    fn refusals_nonsense_and_a_second_welcome_are_noticed() {
        let mut swarm = swarm();
        swarm.receive(1, br#"{"type":"error","code":"peer_not_found"}"#);
        swarm.receive(1, b"nonsense");
        swarm.receive(1, format!(r#"{{"type":"joined","self":{{"id":"{}"}},"peers":[]}}"#, IDS[1]).as_bytes());
        assert_eq!((swarm.tally.refused, swarm.tally.unknown, swarm.tally.joined), (1, 1, 3));
        assert_eq!(swarm.tally.troubles.len(), 3);
    }
}
