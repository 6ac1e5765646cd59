//! What the server says, made bytes.

use std::hint::black_box;

use switchboard::protocol::{
    ErrorCode, Meta, PeerId, RoomName, SignalKind,
    client::{ClientFrame, parse},
    server::{ErrorFrame, Joined, PeerView, ServerFrame, encode},
};

use super::{
    Step,
    parse::bounds,
    texts::{self, META, PEER},
};

fn peer() -> PeerId {
    PeerId::parse(PEER).expect("the name of a peer")
}

fn meta() -> Meta {
    let update = format!(r#"{{"type":"update","meta":{META}}}"#);
    match parse(&update, &bounds()).expect("the update is sound").frame {
        ClientFrame::Update { meta: Some(meta), .. } => meta,
        other => panic!("no update: {other:?}"),
    }
}

pub(crate) fn signal_2k() -> Step {
    let (from, text) = (peer(), texts::offer(PEER));
    let at = text.find(r#""data":"#).expect("an offer has data") + r#""data":"#.len();
    let data = text[at..text.len() - 1].to_owned();
    Step::of(move || {
        black_box(encode(&ServerFrame::Signal { from, kind: SignalKind::Offer, data: black_box(&data) }));
    })
}

/// The first frame of a membership, in a room with so many others.
fn joined(others: usize) -> Step {
    let (me, meta) = (peer(), meta());
    let room = RoomName::parse("lobby", 64).expect("the name of a room");
    Step::of(move || {
        let one = || PeerView {
            id: black_box(me),
            meta: Some(meta.clone()),
            who: None,
            user: None,
            polite: true,
            away_until_ms: None,
        };
        let peers: Vec<_> = std::iter::repeat_with(one).take(others).collect();
        black_box(encode(&ServerFrame::Joined(Joined {
            re: Some("1"),
            me,
            meta: Some(&meta),
            who: None,
            room: &room,
            resumed: None,
            peers: Some(&peers),
            capacity: 128,
            locked: false,
            ice_servers_json: r#"[{"urls":["stun:stun.example.com:3478"]}]"#,
            ice_ttl_ms: None,
            grant: None,
            resume: None,
        })));
    })
}

pub(crate) fn joined_10() -> Step {
    joined(10)
}

pub(crate) fn joined_100() -> Step {
    joined(100)
}

pub(crate) fn peer_joined() -> Step {
    let (peer, meta) = (peer(), meta());
    Step::of(move || {
        let (id, meta) = (black_box(peer), Some(&meta));
        black_box(encode(&ServerFrame::PeerJoined { id, meta, user: None, polite: false, who: None, replaces: None }));
    })
}

pub(crate) fn error() -> Step {
    let peers = [peer()];
    Step::of(move || {
        let message = ErrorFrame::new(ErrorCode::PeerNotFound, "no such peer in this room");
        let error = ErrorFrame { re: Some("7"), peers: black_box(&peers), ..message };
        black_box(encode(&ServerFrame::Error(error)));
    })
}
