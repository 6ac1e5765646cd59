//! `y-webrtc`'s signaling server: publish and subscribe, nothing else. A directed message goes to the whole topic, its
//! sender included, and those it is not for drop it, as the `y-webrtc` client does.

use memchr::memmem;

use super::{
    Dialect, Identity, Offerer, Received, Traits,
    scan::{between, put, string_after},
};
use crate::payload::Kind;

/// See `bin/server.js` of the package `y-webrtc`. Our own `announce` coming back says that the subscription stands.
#[derive(Debug)]
pub(super) struct YWebrtc;

impl Dialect for YWebrtc {
    fn traits(&self) -> Traits {
        Traits { offerer: Offerer::Members, broadcasts: true, client_beats: true }
    }

    fn path(&self, _me: &Identity) -> String {
        "/".into()
    }

    fn greet(&self, me: &Identity, step: usize, out: &mut Vec<u8>) {
        let room = me.room_name();
        match step {
            0 => put(out, &[br#"{"type":"subscribe","topics":[""#, room.as_bytes(), b"\"]}"]),
            1 => publish(me, "announce", None, None, out),
            _ => {}
        }
    }

    fn receive<'a>(&self, me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Received<'a> {
        if !text.starts_with(br#"{"type":"publish""#) {
            return if text.starts_with(br#"{"type":"pong""#) { Received::Nothing } else { Received::Unknown };
        }
        let Some(from) = string_after(text, br#""from":""#) else { return Received::Unknown };
        let own = from == me.name.as_bytes();
        if memmem::find(text, br#""data":{"type":"announce""#).is_some() {
            return if own { Received::Joined { me: None, others: None } } else { Received::PeerJoined(from) };
        }
        match string_after(text, br#""to":""#) {
            Some(to) if !own && (to == b"*" || to == me.name.as_bytes()) => {
                between(text, br#""signal":"#, br#"},"clients":"#)
                    .map_or(Received::Unknown, |data| Received::Signal { from, data })
            }
            Some(_) => Received::Nothing,
            None => Received::Unknown,
        }
    }

    fn signal(&self, me: &Identity, _kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        publish(me, "signal", Some(to), Some(data), out);
    }

    fn broadcast(&self, me: &Identity, _kind: Kind, data: &[u8], out: &mut Vec<u8>) {
        publish(me, "signal", Some(b"*"), Some(data), out);
    }

    fn beat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"ping"}"#);
    }
}

fn publish(me: &Identity, what: &str, to: Option<&[u8]>, data: Option<&[u8]>, out: &mut Vec<u8>) {
    let (room, name) = (me.room_name(), me.name.as_bytes());
    put(out, &[br#"{"type":"publish","topic":""#, room.as_bytes(), br#"","data":{"type":""#, what.as_bytes()]);
    if let Some(to) = to {
        put(out, &[br#"","to":""#, to]);
    }
    put(out, &[br#"","from":""#, name, b"\""]);
    if let Some(data) = data {
        put(out, &[br#","signal":"#, data]);
    }
    out.extend_from_slice(b"}}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Name, anyone};

    fn came_back(text: &[u8]) -> Vec<u8> {
        // What the server makes of it: the same with the number of receivers.
        [&text[..text.len() - 1], br#","clients":2}"#].concat()
    }

    fn someone(index: u32) -> Identity {
        let mut identity = Identity { index, ..anyone() };
        identity.name = Name::new(identity.chosen_name().as_bytes()).unwrap();
        identity
    }

    #[test]
    fn our_own_announcement_joins_us_and_tells_the_others() {
        let mut out = Vec::new();
        YWebrtc.greet(&someone(1), 1, &mut out);
        let text = came_back(&out);
        let receive = |me| YWebrtc.receive(me, &text, &mut Vec::new()) == Received::Joined { me: None, others: None };
        assert!(receive(&someone(1)));
        assert_eq!(
            YWebrtc.receive(&someone(2), &text, &mut Vec::new()),
            Received::PeerJoined(someone(1).chosen_name().as_bytes())
        );
    }

    #[test]
    fn a_directed_message_is_for_its_receiver_only() {
        let (one, two, three) = (someone(1), someone(2), someone(3));
        let mut out = Vec::new();
        YWebrtc.signal(&one, Kind::Offer, two.name.as_bytes(), b"{\"sdp\":\"}\"}", &mut out);
        let text = came_back(&out);
        let to_two = YWebrtc.receive(&two, &text, &mut Vec::new());
        assert_eq!(to_two, Received::Signal { from: one.name.as_bytes(), data: b"{\"sdp\":\"}\"}" });
        assert_eq!(YWebrtc.receive(&one, &text, &mut Vec::new()), Received::Nothing);
        assert_eq!(YWebrtc.receive(&three, &text, &mut Vec::new()), Received::Nothing);
    }
}
