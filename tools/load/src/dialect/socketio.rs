//! Socket.IO 4 over Engine.IO's WebSocket transport, speaking to the relay in `tools/compare/servers/socketio.js`.

use super::{
    Dialect, Identity, Offerer, Received, Traits,
    scan::{after, between, put, string_after},
};
use crate::payload::Kind;

/// Packets: `0` open, `2` ping, `3` pong, `40` connected to the namespace, `42` event, `430` first acknowledgement.
#[derive(Debug)]
pub(super) struct SocketIo;

impl Dialect for SocketIo {
    fn traits(&self) -> Traits {
        Traits { offerer: Offerer::Newcomer, broadcasts: true, client_beats: false }
    }

    fn path(&self, _me: &Identity) -> String {
        "/socket.io/?EIO=4&transport=websocket".into()
    }

    fn greet(&self, _me: &Identity, _step: usize, _out: &mut Vec<u8>) {}

    fn receive<'a>(&self, me: &Identity, text: &'a [u8], out: &mut Vec<u8>) -> Received<'a> {
        match text {
            [b'4', b'2', event @ ..] => receive_event(event).unwrap_or(Received::Unknown),
            [b'4', b'3', b'0', rest @ ..] => joined(rest).unwrap_or(Received::Unknown),
            [b'2'] => answer(out, &[b"3"]),
            [b'4', b'0', ..] => answer(out, &[br#"420["join",""#, me.room_name().as_bytes(), b"\"]"]),
            [b'0', ..] => answer(out, &[b"40"]),
            _ => Received::Unknown,
        }
    }

    fn signal(&self, _me: &Identity, kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        let kind = kind.as_str().as_bytes();
        put(out, &[br#"42["signal",{"to":""#, to, br#"","kind":""#, kind, br#"","data":"#, data, b"}]"]);
    }

    fn broadcast(&self, _me: &Identity, kind: Kind, data: &[u8], out: &mut Vec<u8>) {
        let kind = kind.as_str().as_bytes();
        put(out, &[br#"42["broadcast",{"kind":""#, kind, br#"","data":"#, data, b"}]"]);
    }
}

fn answer<'a>(out: &mut Vec<u8>, parts: &[&[u8]]) -> Received<'a> {
    put(out, parts);
    Received::Nothing
}

/// `[{"id":"…","others":N}]`, the relay's acknowledgement of `join`.
fn joined(rest: &[u8]) -> Option<Received<'_>> {
    let me = string_after(rest, br#""id":""#)?;
    let digits = between(rest, br#""others":"#, b"}")?;
    let others = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Received::Joined { me: Some(me), others: Some(others) })
}

fn receive_event(event: &[u8]) -> Option<Received<'_>> {
    let rest = after(event, b"[\"")?;
    match rest {
        r if r.starts_with(b"signal\"") => {
            let from = string_after(r, br#""from":""#)?;
            Some(Received::Signal { from, data: between(r, br#""data":"#, b"}]")? })
        }
        r if r.starts_with(b"peer_joined\"") => string_after(r, b",\"").map(Received::PeerJoined),
        r if r.starts_with(b"peer_left\"") => Some(Received::PeerLeft),
        r if r.starts_with(b"refused\"") => Some(Received::Refused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::anyone;

    #[test]
    fn the_way_in_is_answered_step_by_step() {
        let mut out = Vec::new();
        SocketIo.receive(&anyone(), br#"0{"sid":"x","pingInterval":25000}"#, &mut out);
        assert_eq!(out, b"40");
        out.clear();
        SocketIo.receive(&anyone(), br#"40{"sid":"y"}"#, &mut out);
        assert_eq!(out, br#"420["join","load-00000001-3"]"#);
        out.clear();
        let joined = SocketIo.receive(&anyone(), br#"430[{"id":"y","others":1}]"#, &mut out);
        assert_eq!(joined, Received::Joined { me: Some(b"y"), others: Some(1) });
        SocketIo.receive(&anyone(), b"2", &mut out);
        assert_eq!(out, b"3");
    }

    #[test]
    fn events_are_understood() {
        let receive = |text| SocketIo.receive(&anyone(), text, &mut Vec::new());
        let signal = br#"42["signal",{"from":"z","kind":"offer","data":{"sdp":"x"}}]"#;
        assert_eq!(receive(signal), Received::Signal { from: b"z", data: br#"{"sdp":"x"}"# });
        assert_eq!(receive(br#"42["peer_joined","z"]"#), Received::PeerJoined(b"z"));
        assert_eq!(receive(br#"42["peer_left","z"]"#), Received::PeerLeft);
        assert_eq!(receive(br#"42["refused"]"#), Received::Refused);
    }
}
