//! Frames about a room and those in it.

use super::object::{Object, write_array};
use crate::protocol::{
    endings::LeaveReason,
    frame::TextFrame,
    ids::{PeerId, RoomName},
    kinds::{FrameKind, SignalKind},
    meta::Meta,
    resume::ResumeToken,
};

/// What a newcomer is told.
#[derive(Debug, Clone, Copy)]
pub struct Joined<'a> {
    /// The request's `id`.
    pub re: Option<&'a str>,
    /// The newcomer's own name.
    pub me: PeerId,
    /// Its metadata, as the others see it.
    pub meta: Option<&'a Meta>,
    /// The room.
    pub room: &'a RoomName,
    /// On a resume: what became of the frames on the way.
    pub resumed: Option<Resumed>,
    /// Everybody else in it: JSON made by [`peers_array`]. `None` after a complete resume: the client knows, or is
    /// about to hear.
    pub peers_json: Option<&'a str>,
    /// Most peers the room takes, the newcomer included.
    pub capacity: usize,
    /// A JSON array of `RTCIceServer` dictionaries.
    pub ice_servers_json: &'a str,
    /// In a resumable session: what the next resume needs, and how long after the loss of the socket it is possible,
    /// in milliseconds.
    pub resume: Option<(&'a ResumeToken, u64)>,
}

/// How a resume went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// Whether all that the client has not seen follows, each frame once and in order. Otherwise some of it is lost,
    /// `peers` is the room as it is, and both counts start anew.
    pub complete: bool,
    /// How many of the client's counted frames have been handled: what comes after them is to be sent again.
    pub ack: u64,
}

/// `joined`: the complete room for a newcomer, or a session given back.
#[must_use]
pub fn joined(joined: &Joined<'_>) -> TextFrame {
    let peers = joined.peers_json.map_or(0, str::len);
    let raw = peers + joined.ice_servers_json.len() + joined.meta.map_or(0, |m| m.as_str().len());
    TextFrame::build(384 + joined.room.as_str().len() + raw, |out| {
        Object::frame(out, FrameKind::Joined)
            .text_if("re", joined.re)
            .object("self", |me| me.peer("id", joined.me).meta_if(joined.meta))
            .text("room", joined.room.as_str())
            .flag_if("complete", joined.resumed.map(|resumed| resumed.complete))
            .number_if("ack", joined.resumed.map(|resumed| resumed.ack))
            .raw_if("peers", joined.peers_json)
            .number("capacity", joined.capacity as u64)
            .raw("iceServers", joined.ice_servers_json)
            .object_if("resume", joined.resume, |object, (token, window_ms)| {
                object.text("token", &token.to_string()).number("windowMs", window_ms)
            })
            .close();
    })
}

/// The JSON array for `joined.peers`: name, metadata, whether the receiver of the frame is polite towards that peer, and
/// for one that is away until when at the latest, in milliseconds since the Unix epoch.
#[must_use]
pub fn peers_array<'m>(peers: impl IntoIterator<Item = (PeerId, Option<&'m Meta>, bool, Option<u64>)>) -> String {
    let mut out = Vec::with_capacity(512);
    write_array(&mut out, peers, |out, (id, meta, polite, away_until)| {
        Object::open(out)
            .peer("id", id)
            .meta_if(meta)
            .flag("polite", polite)
            .object_if("away", away_until, |away, until| away.number("until", until))
            .close();
    });
    String::from_utf8(out).expect("every piece is UTF-8")
}

/// `left`: the answer to `leave`.
#[must_use]
pub fn left(room: &RoomName, re: Option<&str>) -> TextFrame {
    TextFrame::build(128 + room.as_str().len(), |out| {
        Object::frame(out, FrameKind::Left).text_if("re", re).text("room", room.as_str()).close();
    })
}

/// `signal`: the hot path, so one allocation of the exact size and nothing but copies. `data` must be valid JSON; it
/// goes out byte for byte.
#[must_use]
pub fn signal(from: PeerId, kind: SignalKind, data: &str) -> TextFrame {
    const FROM: &[u8] = br#"{"type":"signal","from":""#;
    const KIND: &[u8] = br#"","kind":""#;
    const DATA: &[u8] = br#"","data":"#;
    let kind = kind.as_str();
    let length = FROM.len() + PeerId::TEXT_BYTES + KIND.len() + kind.len() + DATA.len() + data.len() + 1;
    TextFrame::build(length, |out| {
        out.extend_from_slice(FROM);
        out.extend_from_slice(from.encode(&mut [0; PeerId::TEXT_BYTES]).as_bytes());
        out.extend_from_slice(KIND);
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(DATA);
        out.extend_from_slice(data.as_bytes());
        out.push(b'}');
    })
}

/// `peer_joined`. `polite`: whether its receivers are polite towards the newcomer (they are not: the newcomer is).
#[must_use]
pub fn peer_joined(id: PeerId, meta: Option<&Meta>, polite: bool) -> TextFrame {
    TextFrame::build(96 + meta.map_or(0, |m| m.as_str().len()), |out| {
        Object::frame(out, FrameKind::PeerJoined).peer("id", id).meta_if(meta).flag("polite", polite).close();
    })
}

/// `peer_left`.
#[must_use]
pub fn peer_left(id: PeerId, reason: LeaveReason) -> TextFrame {
    TextFrame::build(96, |out| {
        Object::frame(out, FrameKind::PeerLeft).peer("id", id).text("reason", reason.as_str()).close();
    })
}

/// `peer_away`: it lost its socket and may come back, until `until_ms` (milliseconds since the Unix epoch by this
/// server's clock) at the latest.
#[must_use]
pub fn peer_away(id: PeerId, until_ms: u64) -> TextFrame {
    TextFrame::build(96, |out| {
        Object::frame(out, FrameKind::PeerAway).peer("id", id).number("until", until_ms).close();
    })
}

/// `peer_back`: it has a socket again.
#[must_use]
pub fn peer_back(id: PeerId) -> TextFrame {
    TextFrame::build(96, |out| Object::frame(out, FrameKind::PeerBack).peer("id", id).close())
}

/// `peer_updated`: with `re` the updater's own reply, without it the news for the others.
#[must_use]
pub fn peer_updated(id: PeerId, meta: &Meta, re: Option<&str>) -> TextFrame {
    TextFrame::build(160 + meta.as_str().len(), |out| {
        Object::frame(out, FrameKind::PeerUpdated).text_if("re", re).peer("id", id).meta_if(Some(meta)).close();
    })
}

/// `room_closed`: the room ended under its peers.
#[must_use]
pub fn room_closed(room: &RoomName) -> TextFrame {
    TextFrame::build(48 + room.as_str().len(), |out| {
        Object::frame(out, FrameKind::RoomClosed).text("room", room.as_str()).close();
    })
}
