//! What the baseline sends: Switchboard's frames, byte for byte as long.

use memchr::memmem;
use switchboard::{
    config::Settings,
    protocol::{
        SessionId,
        server::{ServerFrame, encode},
    },
    session::welcome,
};

use super::relay::{HEAD, write_head};
use crate::ws::{
    frame::{Opcode, append_plain},
    handshake,
};

/// Bytes of an id: 32 hexadecimal digits, the last eight of which are the token.
pub(super) const ID: usize = 32;
/// Stands where the answer to a key belongs.
const ACCEPT: &str = "****************************";
/// Bytes of a key as it stands in a request (RFC 6455 section 4.1).
const NONCE: usize = 24;
/// The end of a request.
const END: &[u8] = b"\r\n\r\n";

/// What all ids have in front of their token.
const FIXED: &[u8; ID - 8] = b"f10000000000400080000000";
/// Where a frame is filled in: an id, or an accept key, stands there instead.
const BLANK: &str = "f1000000000040008000000000000000";

/// A peer's id.
pub(super) fn peer_id(who: u32) -> [u8; ID] {
    let mut id = [0; ID];
    id[..FIXED.len()].copy_from_slice(FIXED);
    for (i, digit) in id[FIXED.len()..].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(who >> (28 - 4 * i) & 15) as usize];
    }
    id
}

/// The token in an id.
pub(super) fn token_of(id: &[u8]) -> u32 {
    id[FIXED.len()..].iter().fold(0, |n, d| {
        let value = if *d <= b'9' { d.wrapping_sub(b'0') } else { d.wrapping_sub(b'a' - 10) };
        (n << 4) | u32::from(value)
    })
}

/// The room's name in a join.
pub(super) fn room_of(text: &[u8]) -> &[u8] {
    let name = text.get(br#"{"type":"join","room":""#.len()..).unwrap_or_default();
    &name[..memchr::memchr(b'"', name).unwrap_or(name.len())]
}

/// A frame, or more, that is written once and for each peer but for an id.
#[derive(Debug)]
pub(super) struct Form {
    bytes: Vec<u8>,
    id: usize,
}

impl Form {
    fn new(text: &str) -> Self {
        let mut bytes = Vec::new();
        append_plain(&mut bytes, Opcode::Text, text.as_bytes());
        Self::of_frame(bytes)
    }

    fn of_frame(bytes: Vec<u8>) -> Self {
        let id = memmem::rfind(&bytes, BLANK.as_bytes()).unwrap_or_default();
        Self { bytes, id }
    }

    /// With that peer's id in it.
    pub(super) fn of(&mut self, who: u32) -> &[u8] {
        self.bytes[self.id..self.id + ID].copy_from_slice(&peer_id(who));
        &self.bytes
    }
}

/// The baseline's own texts.
#[derive(Debug)]
pub(super) struct Texts {
    /// The answer to an upgrade, and the first frame behind it.
    opening: Form,
    accept: usize,
    nonce: memmem::Finder<'static>,
    joined: Vec<u8>,
    /// News of a newcomer.
    pub(super) peer_joined: Form,
    /// News of one that said goodbye.
    pub(super) peer_left: Form,
    /// News of one that was lost.
    pub(super) peer_lost: Form,
}

impl Texts {
    /// `welcome` says what a server with these settings would say.
    pub(super) fn new(settings: &Settings) -> Self {
        let left = |reason| Form::new(&format!(r#"{{"type":"peer_left","id":"{BLANK}","reason":"{reason}"}}"#));
        let mut opening = switching();
        if let Some(session) = SessionId::parse(BLANK) {
            let welcome = encode(&ServerFrame::Welcome { session, server: &welcome(settings) });
            opening.extend_from_slice(&welcome.into_bytes());
        }
        Self {
            accept: memmem::find(&opening, ACCEPT.as_bytes()).unwrap_or_default(),
            opening: Form::of_frame(opening),
            nonce: memmem::Finder::new("\r\nSec-WebSocket-Key: "),
            joined: Vec::new(),
            peer_joined: Form::new(&format!(r#"{{"type":"peer_joined","id":"{BLANK}","polite":false}}"#)),
            peer_left: left("left"),
            peer_lost: left("disconnected"),
        }
    }

    /// The answer to a request, once all of it is there: with how many bytes that is.
    pub(super) fn opening(&mut self, who: u32, request: &[u8]) -> Option<(usize, &[u8])> {
        // Nearly always the first: a client sends nothing before it has the answer.
        let end = if request.ends_with(END) { request.len() } else { memmem::find(request, END)? + END.len() };
        let nonce = self.nonce.find(&request[..end])? + self.nonce.needle().len();
        let nonce = request.get(nonce..nonce + NONCE)?;
        let accept = handshake::accept(nonce);
        self.opening.bytes[self.accept..self.accept + accept.len()].copy_from_slice(accept.as_bytes());
        Some((end, self.opening.of(who)))
    }

    /// The reply to a join: a whole frame.
    pub(super) fn joined(&mut self, who: u32, room: &[u8], others: impl Iterator<Item = u32>) -> &[u8] {
        let out = &mut self.joined;
        out.clear();
        // The head is as long as the text's length asks for: it is written last, so that it ends here.
        out.extend_from_slice(&[0; HEAD]);
        out.extend_from_slice(br#"{"type":"joined","self":{"id":""#);
        out.extend_from_slice(&peer_id(who));
        out.extend_from_slice(br#""},"room":""#);
        out.extend_from_slice(room);
        out.extend_from_slice(br#"","peers":["#);
        for (n, other) in others.enumerate() {
            out.extend_from_slice(if n == 0 { br#"{"id":""# } else { br#",{"id":""# });
            out.extend_from_slice(&peer_id(other));
            out.extend_from_slice(br#"","polite":true}"#);
        }
        out.extend_from_slice(br#"],"capacity":64,"iceServers":[]}"#);
        let text = out.len() - HEAD;
        let start = write_head(out, HEAD, text);
        &out[start..]
    }
}

/// The answer to an upgrade, with a blank where the key's answer belongs.
fn switching() -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {ACCEPT}\r\nx-request-id: 00000000-0000-4000-8000-000000000000\r\n\
         sec-websocket-protocol: switchboard.v1\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::frame::Head;

    fn text(id: [u8; ID]) -> String {
        String::from_utf8_lossy(&id).into_owned()
    }

    #[test]
    fn ids_are_of_switchboards_form_and_give_back_their_token() {
        for who in [0, 1, 9, 10, 0xabcd_ef01, u32::MAX] {
            let id = text(peer_id(who));
            assert!(switchboard::protocol::PeerId::parse(&id).is_some(), "{id}");
            assert_eq!(token_of(id.as_bytes()), who);
        }
    }

    /// The JSON of one whole frame.
    fn json(frame: &[u8]) -> serde_json::Value {
        let head = Head::parse(frame).unwrap().unwrap();
        assert_eq!((head.opcode, head.key, head.total()), (Opcode::Text, None, frame.len()));
        serde_json::from_slice(&frame[head.head..]).unwrap()
    }

    #[test]
    fn every_text_is_a_frame_of_json_with_the_peers_id() {
        let mut texts = Texts::new(&Settings::default());
        let id = text(peer_id(7));
        assert_eq!(json(texts.peer_joined.of(7))["id"], id);
        assert_eq!(json(texts.peer_left.of(7))["reason"], "left");
        assert_eq!(json(texts.peer_lost.of(7))["reason"], "disconnected");
        for others in [0, 1, 2, 500, 1500] {
            let joined = json(texts.joined(7, b"blue", 100..100 + others));
            assert_eq!((&joined["self"]["id"], &joined["room"]), (&id.as_str().into(), &"blue".into()));
            let peers = joined["peers"].as_array().unwrap();
            assert_eq!(peers.len(), others as usize);
            assert!(peers.iter().zip(100..).all(|(peer, who)| peer["id"] == text(peer_id(who))));
        }
        assert_eq!(room_of(br#"{"type":"join","room":"abc"}"#), b"abc");
    }

    #[test]
    fn a_request_is_answered_once_it_is_whole() {
        let mut request = Vec::new();
        handshake::request(&mut request, "127.0.0.1:80".parse().unwrap(), "/ws", Some("switchboard.v1"));
        let mut texts = Texts::new(&Settings::default());
        assert!(texts.opening(3, &request[..request.len() - 1]).is_none());
        let whole = request.len();
        request.extend_from_slice(b"more");
        let (used, answer) = texts.opening(3, &request).unwrap();
        let head = handshake::response(answer).unwrap().unwrap();
        assert_eq!((used, json(&answer[head..])["session"].as_str()), (whole, Some(text(peer_id(3)).as_str())));
    }
}
