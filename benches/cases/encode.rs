//! What the server says, made bytes.

use std::hint::black_box;

use switchboard::protocol::{
    ErrorCode, Meta, PeerId, RoomName, SignalKind,
    client::{ClientFrame, parse},
    server::{self, ErrorFrame, Joined},
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
        ClientFrame::Update { meta } => meta,
        other => panic!("no update: {other:?}"),
    }
}

pub(crate) fn signal_2k() -> Step {
    let (from, text) = (peer(), texts::offer(PEER));
    let at = text.find(r#""data":"#).expect("an offer has data") + r#""data":"#.len();
    let data = text[at..text.len() - 1].to_owned();
    Step::of(move || {
        black_box(server::signal(from, SignalKind::Offer, black_box(&data)));
    })
}

/// The first frame of a stay, in a room with so many others.
fn joined(others: usize) -> Step {
    let (me, meta) = (peer(), meta());
    let room = RoomName::parse("lobby", 64).expect("the name of a room");
    Step::of(move || {
        let peers = server::peers_array((0..others).map(|_| (black_box(me), Some(&meta), true, None)));
        black_box(server::joined(&Joined {
            re: Some("1"),
            me,
            meta: Some(&meta),
            room: &room,
            resumed: None,
            peers_json: Some(&peers),
            capacity: 128,
            ice_servers_json: r#"[{"urls":["stun:stun.example.com:3478"]}]"#,
            resume: None,
        }));
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
        black_box(server::peer_joined(black_box(peer), Some(&meta), false));
    })
}

pub(crate) fn error() -> Step {
    let peers = [peer()];
    Step::of(move || {
        let message = ErrorFrame::new(ErrorCode::PeerNotFound, "no such peer in this room");
        black_box(server::error(&ErrorFrame { re: Some("7"), peers: black_box(&peers), ..message }));
    })
}
