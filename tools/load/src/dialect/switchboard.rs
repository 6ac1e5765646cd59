//! Switchboard's protocol, and the same without `welcome` for the plain `ws` relay.

use switchboard::protocol::PeerId;

use super::{
    Dialect, Identity, Offerer, Received, Traits,
    scan::{after, between, count, put, string_after},
};
use crate::payload::Kind;

const TRAITS: Traits = Traits { offerer: Offerer::Newcomer, broadcasts: true, client_beats: false };

/// Switchboard, version 1. The server pings; nothing is expected of the client but pongs.
#[derive(Debug)]
pub(super) struct Switchboard {
    /// Whether its clients ask to be resumable.
    resumable: bool,
    /// Whether their handshakes name the room, so that the server can place them where it is.
    names_room: bool,
}

/// Clients as most are.
pub(super) const PLAIN: Switchboard = Switchboard { resumable: false, names_room: true };
/// Clients that could come back.
pub(super) const RESUMABLE: Switchboard = Switchboard { resumable: true, ..PLAIN };
/// Clients that are left where the kernel puts them.
pub(super) const UNPLACED: Switchboard = Switchboard { names_room: false, ..PLAIN };

impl Dialect for Switchboard {
    fn traits(&self) -> Traits {
        TRAITS
    }

    fn path(&self, me: &Identity) -> String {
        if self.names_room { format!("/ws?room={}", me.room_name()) } else { "/ws".to_owned() }
    }

    fn protocol(&self) -> Option<&'static str> {
        Some("switchboard.v1")
    }

    fn greet(&self, me: &Identity, step: usize, out: &mut Vec<u8>) {
        join(me, step, out);
        if self.resumable && out.pop().is_some() {
            out.extend_from_slice(br#","resumable":true}"#);
        }
    }

    fn receive<'a>(&self, _me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Received<'a> {
        let received = receive(text);
        match received {
            Received::Joined { me: Some(me), .. } if !is_peer_id(me) => Received::Unknown,
            received => received,
        }
    }

    fn signal(&self, _me: &Identity, kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        signal(kind, to, data, out);
    }

    fn broadcast(&self, _me: &Identity, kind: Kind, data: &[u8], out: &mut Vec<u8>) {
        signal(kind, b"*", data, out);
    }

    fn acknowledge(&self, handled: u32, out: &mut Vec<u8>) {
        if self.resumable {
            out.extend_from_slice(format!(r#"{{"type":"ping","ack":{handled}}}"#).as_bytes());
        }
    }

    fn leave(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"leave"}"#);
    }
}

/// The plain relay of `tools/compare/servers/ws.js`.
#[derive(Debug)]
pub(super) struct PlainWs;

impl Dialect for PlainWs {
    fn traits(&self) -> Traits {
        TRAITS
    }

    fn path(&self, _me: &Identity) -> String {
        "/".into()
    }

    fn greet(&self, me: &Identity, step: usize, out: &mut Vec<u8>) {
        join(me, step, out);
    }

    fn receive<'a>(&self, _me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Received<'a> {
        receive(text)
    }

    fn signal(&self, _me: &Identity, kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        signal(kind, to, data, out);
    }

    fn broadcast(&self, _me: &Identity, kind: Kind, data: &[u8], out: &mut Vec<u8>) {
        signal(kind, b"*", data, out);
    }
}

fn join(me: &Identity, step: usize, out: &mut Vec<u8>) {
    if step == 0 {
        put(out, &[br#"{"type":"join","room":""#, me.room_name().as_bytes(), b"\"}"]);
    }
}

fn signal(kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
    let kind = kind.as_str().as_bytes();
    put(out, &[br#"{"type":"signal","to":""#, to, br#"","kind":""#, kind, br#"","data":"#, data, b"}"]);
}

/// Reads a server frame by its type, which always comes first.
fn receive(text: &[u8]) -> Received<'_> {
    let Some(rest) = text.strip_prefix(br#"{"type":""#) else { return Received::Unknown };
    if rest.starts_with(b"signal\"") {
        return relayed(rest).unwrap_or(Received::Unknown);
    }
    if rest.starts_with(b"joined\"") {
        return joined(rest).unwrap_or(Received::Unknown);
    }
    match rest {
        r if r.starts_with(b"peer_joined\"") => {
            string_after(r, br#""id":""#).map_or(Received::Unknown, Received::PeerJoined)
        }
        r if r.starts_with(b"peer_left\"") => Received::PeerLeft,
        r if r.starts_with(b"error\"") || r.starts_with(b"bye\"") => Received::Refused,
        _ => Received::Nothing,
    }
}

fn relayed(rest: &[u8]) -> Option<Received<'_>> {
    let from = string_after(rest, br#""from":""#)?;
    Some(Received::Signal { from, data: between(rest, br#""data":"#, b"}")? })
}

fn joined(rest: &[u8]) -> Option<Received<'_>> {
    let me = string_after(rest, br#""self":{"id":""#)?;
    let peers = after(rest, br#""peers":["#)?;
    let end = memchr::memchr(b']', peers)?;
    Some(Received::Joined { me: Some(me), others: Some(count(&peers[..end], br#""id":""#)) })
}

fn is_peer_id(name: &[u8]) -> bool {
    std::str::from_utf8(name).ok().and_then(PeerId::parse).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::anyone;

    fn received(text: &[u8]) -> Received<'_> {
        PLAIN.receive(&anyone(), text, &mut Vec::new())
    }

    #[test]
    fn each_server_frame_is_understood() {
        let id = b"0123456789abcdef0123456789abcdef";
        let joined = br#"{"type":"joined","self":{"id":"0123456789abcdef0123456789abcdef"},"room":"r","peers":[{"id":"a","polite":true},{"id":"b","polite":true}],"capacity":10,"iceServers":[]}"#;
        assert_eq!(received(joined), Received::Joined { me: Some(id), others: Some(2) });
        let signal = br#"{"type":"signal","from":"ab","kind":"offer","data":{"sdp":"}"}}"#;
        assert_eq!(received(signal), Received::Signal { from: b"ab", data: br#"{"sdp":"}"}"# });
        let came = br#"{"type":"peer_joined","id":"c","polite":false}"#;
        assert_eq!(received(came), Received::PeerJoined(b"c"));
        assert_eq!(received(br#"{"type":"peer_left","id":"c","reason":"left"}"#), Received::PeerLeft);
        assert_eq!(received(br#"{"type":"error","code":"room_full"}"#), Received::Refused);
        assert_eq!(received(br#"{"type":"welcome","session":"x"}"#), Received::Nothing);
        assert_eq!(received(b"hello"), Received::Unknown);
    }

    #[test]
    fn a_client_that_could_come_back_says_so_and_acknowledges() {
        let protocol = RESUMABLE;
        let (mut first, mut second, mut ack) = (Vec::new(), Vec::new(), Vec::new());
        protocol.greet(&anyone(), 0, &mut first);
        assert!(String::from_utf8(first).unwrap().ends_with(r#""resumable":true}"#));
        protocol.greet(&anyone(), 1, &mut second);
        assert!(second.is_empty(), "that is all");
        protocol.acknowledge(7, &mut ack);
        assert_eq!(ack, br#"{"type":"ping","ack":7}"#);
    }

    #[test]
    fn a_name_that_is_no_peer_id_is_not_accepted_from_switchboard() {
        let joined = br#"{"type":"joined","self":{"id":"7"},"room":"r","peers":[],"capacity":10}"#;
        assert_eq!(received(joined), Received::Unknown);
        let plain = PlainWs.receive(&anyone(), joined, &mut Vec::new());
        assert_eq!(plain, Received::Joined { me: Some(b"7"), others: Some(0) });
    }
}
