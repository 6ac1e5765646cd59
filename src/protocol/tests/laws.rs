//! What holds for every text and every value.

use std::sync::Arc;

use proptest::prelude::{Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{A, BOUNDS, peer, room};
use crate::protocol::{
    EndReason, ErrorCode, LeaveReason, Meta, PeerId, ResumeToken, RoomName, SessionId, SignalKind, Who,
    client::{ClientFrame, ResumeParams, To, parse},
    server::{ErrorBody, ErrorFrame, Joined, PeerView, ResumeStatus, ServerFrame, encode},
};

fn value(frame: &ServerFrame<'_>) -> Value {
    serde_json::from_slice(encode(frame).json()).expect("an encoder writes JSON")
}

fn any_room() -> impl Strategy<Value = RoomName> {
    any::<String>().prop_filter_map("a room's name", |name| RoomName::parse(&name, 1000).ok())
}

/// Metadata whose text is full of what must not be touched: escapes, white space, any character.
fn any_meta() -> impl Strategy<Value = (Value, Meta)> {
    prop::collection::btree_map(any::<String>(), any::<String>(), 0..4).prop_map(|fields| {
        let value = json!(fields);
        let meta = Meta::from_checked(&serde_json::to_string_pretty(&value).expect("it is JSON"));
        (value, meta)
    })
}

/// Text that is nearly a frame: tokens of real frames in any order.
fn near_frames() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\\u",
        "\\ud83d",
        "\"type\"",
        "\"join\"",
        "\"signal\"",
        "\"room\"",
        "\"to\"",
        "\"*\"",
        "\"kind\"",
        "\"offer\"",
        "\"data\"",
        "\"meta\"",
        "\"id\"",
        "\"t\"",
        "\"attempt\"",
        "\"resumable\"",
        "\"resume\"",
        "\"token\"",
        "\"ack\"",
        "true",
        "null",
        "1",
        "-1",
        "1e9",
        " ",
        "\n",
        "{\"type\":\"ping\",",
        "{\"type\":\"signal\",\"to\":",
        "{\"type\":\"join\",\"room\":\"a\",\"resume\":{\"token\":\".\",",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn parsing_never_panics(text in prop_oneof![any::<String>(), near_frames()]) {
        match parse(&text, &BOUNDS) {
            Ok(request) => prop_assert!(request.frame.kind().is_incoming()),
            Err(refusal) => prop_assert!(refusal.kind.is_incoming() && !refusal.message.is_empty()),
        }
    }

    #[test]
    fn a_payload_comes_out_as_it_went_in((_, payload) in any_meta(), space in "[ \t\r\n]{0,3}") {
        let data = payload.as_str();
        let text = format!(r#"{{"to":"{A}","data":{space}{data}{space},"kind":"app","type":"signal"}}"#);
        let request = parse(&text, &BOUNDS).expect("a good signal");
        prop_assert_eq!(request.id, None);
        prop_assert_eq!(request.frame, ClientFrame::Signal { to: To::Peer(peer(A)), kind: SignalKind::App, data });
        let frame = encode(&ServerFrame::Signal { from: peer(A), kind: SignalKind::App, data });
        let expected = format!(r#"{{"type":"signal","from":"{A}","kind":"app","data":{data}}}"#);
        prop_assert_eq!(frame.json(), expected.as_bytes());
    }

    #[test]
    fn a_join_comes_out_as_it_went_in(room in any_room(), (object, meta) in any_meta(), id in "\\PC{1,16}") {
        let (quoted, name) = (json!(id), json!(room.as_str()));
        let text = format!(r#"{{"type":"join","id":{quoted},"room":{name},"meta":{}}}"#, meta.as_str());
        let bounds = super::ParseLimits { room_name_bytes: 1000, meta_bytes: 100_000, ..BOUNDS };
        let request = parse(&text, &bounds).expect("a good join");
        prop_assert_eq!(request.id.as_deref(), Some(id.as_str()));
        prop_assert_eq!(request.frame, ClientFrame::Join {
            room: room.clone(),
            meta: Some(meta.clone()),
            attempt: 0,
            resumable: false,
            resume: None,
            identified: None,
            token: None,
        });
        let me = PeerId::random();
        let who = Who::of(&"x".repeat(22), &room);
        let named = who.encode(&mut [0; Who::TEXT_BYTES]).to_owned();
        let others = [
            PeerView { id: me, meta: Some(meta.clone()), who: None, user: None, polite: true, away_until_ms: None },
            PeerView {
                id: me,
                meta: None,
                who: Some(who),
                user: Some(Arc::from(&*id)),
                polite: false,
                away_until_ms: Some(u64::MAX),
            },
        ];
        let frame = ServerFrame::Joined(Joined {
            re: Some(&id),
            me,
            meta: Some(&meta),
            who: Some(who),
            room: &room,
            resumed: None,
            peers: Some(&others),
            capacity: 3,
            locked: false,
            ice_servers_json: "[]",
            ice_ttl_ms: None,
            grant: None,
            resume: None,
        });
        let name = me.to_string();
        prop_assert_eq!(value(&frame), json!({
            "type": "joined", "re": id, "self": {"id": name, "who": named, "meta": object}, "room": room.as_str(), "capacity": 3,
            "peers": [
                {"id": name, "meta": object, "polite": true},
                {"id": name, "who": named, "user": id, "polite": false, "away": {"until": u64::MAX}},
            ],
            "iceServers": [],
        }));
    }

    #[test]
    fn a_token_and_counts_come_back_as_they_were_told(session: u128, ack: u64, complete: bool, window_ms: u64) {
        let (me, room) = (peer(A), room("a"));
        let token = ResumeToken::random(SessionId::parse(&format!("{session:032x}")).expect("a canonical id"));
        let told = value(&ServerFrame::Joined(Joined {
            re: None,
            me,
            meta: None,
            who: None,
            room: &room,
            resumed: Some(ResumeStatus { complete, ack }),
            peers: None,
            capacity: 2,
            locked: false,
            ice_servers_json: "[]",
            ice_ttl_ms: None,
            grant: None,
            resume: Some((&token, window_ms)),
        }));
        prop_assert_eq!(&told, &json!({
            "type": "joined", "self": {"id": A}, "room": "a", "complete": complete, "ack": ack, "capacity": 2,
            "iceServers": [], "resume": {"token": token.to_string(), "windowMs": window_ms},
        }));
        let again = json!({
            "type": "join", "room": told["room"], "resume": {"token": told["resume"]["token"], "ack": told["ack"]},
        });
        let again = again.to_string();
        let request = parse(&again, &BOUNDS).expect("a good join");
        let resume = Some(ResumeParams { token: Some(token), ack });
        prop_assert_eq!(request.frame, ClientFrame::Join {
            room,
            meta: None,
            attempt: 0,
            resumable: true,
            resume,
            identified: None,
            token: None,
        });
    }

    #[test]
    fn any_text_may_stand_for_a_token_and_only_one_of_ours_is_one(text: String, ack: u64) {
        let join = json!({"type": "join", "room": "a", "resume": {"token": text, "ack": ack}}).to_string();
        let request = parse(&join, &BOUNDS).expect("a good join");
        let resume = Some(ResumeParams { token: ResumeToken::parse(&text), ack });
        prop_assert_eq!(
            request.frame,
            ClientFrame::Join {
                room: room("a"),
                meta: None,
                attempt: 0,
                resumable: true,
                resume,
                identified: None,
                token: None,
            }
        );
    }

    #[test]
    fn comings_and_goings_carry_their_numbers(id: u128, until: u64, ack: u64) {
        let name = format!("{id:032x}");
        let id = peer(&name);
        let away = ServerFrame::PeerAway { id, until_ms: until };
        prop_assert_eq!(value(&away), json!({"type": "peer_away", "id": name, "until": until}));
        prop_assert_eq!(value(&ServerFrame::PeerBack { id }), json!({"type": "peer_back", "id": name}));
        let pong = ServerFrame::Pong { re: None, t: None, ack: Some(ack) };
        prop_assert_eq!(value(&pong), json!({"type": "pong", "ack": ack}));
    }

    #[test]
    fn news_of_a_room_are_json_whatever_is_in_them(room in any_room(), (object, meta) in any_meta(), re: String) {
        let id = PeerId::random();
        let name = id.to_string();
        let news = json!({"type": "left", "re": re, "room": room.as_str()});
        prop_assert_eq!(value(&ServerFrame::Left { re: Some(&re), room: &room }), news);
        let news = json!({"type": "room_closed", "room": room.as_str()});
        prop_assert_eq!(value(&ServerFrame::RoomClosed { room: &room }), news);
        let news = json!({"type": "peer_joined", "id": name, "meta": object, "user": re, "polite": true});
        let (about, user) = (Some(&meta), Some(&*re));
        let joined = ServerFrame::PeerJoined { id, meta: about, user, polite: true, who: None, replaces: None };
        prop_assert_eq!(value(&joined), news);
        let news = json!({"type": "peer_updated", "re": re, "id": name, "meta": object});
        prop_assert_eq!(value(&ServerFrame::PeerUpdated { re: Some(&re), id, meta: &meta }), news);
        let news = json!({"type": "pong", "re": re, "t": -1500.0, "ack": 0});
        prop_assert_eq!(value(&ServerFrame::Pong { re: Some(&re), t: Some("-1.5e3"), ack: Some(0) }), news);
    }

    #[test]
    fn errors_are_json_whatever_is_in_them(
        at in 0..ErrorCode::ALL.len(), message: String, name: String, wait: Option<u64>,
    ) {
        let code = ErrorCode::ALL[at];
        let (peers, unknown_peers) = ([peer(A)], [Box::from(name.as_str())]);
        let plain = ErrorFrame::new(code, &message);
        let frame = ErrorFrame { retry_after_ms: wait, peers: &peers, unknown_peers: &unknown_peers, ..plain };
        let mut expected = json!({
            "type": "error", "code": code.as_str(), "category": code.category().as_str(), "retryable": code.retryable(),
            "message": message, "peers": [A, name],
        });
        if let Some(wait) = wait {
            expected["retryAfterMs"] = json!(wait);
        }
        prop_assert_eq!(value(&ServerFrame::Error(frame)), expected.clone());
        let body: Value = serde_json::from_str(&ErrorBody::new(code, &message).after(wait).http(&name)).expect("JSON");
        let fields = expected.as_object_mut().expect("an object");
        fields.retain(|key, _| key != "type" && key != "peers");
        fields.insert("requestId".to_owned(), json!(name));
        prop_assert_eq!(body, json!({ "error": expected }));
    }

    #[test]
    fn ids_are_read_as_they_are_written(raw: u128) {
        let text = format!("{raw:032x}");
        let (peer, session) = (peer(&text), SessionId::parse(&text).expect("a canonical id"));
        prop_assert!(peer.encode(&mut [0; 32]) == text);
        prop_assert!(session.encode(&mut [0; 32]) == text);
        prop_assert_eq!(peer.to_string(), text);
    }
}

#[test]
fn every_reason_is_told() {
    for &reason in LeaveReason::ALL {
        assert_eq!(value(&ServerFrame::PeerLeft { id: peer(A), reason })["reason"], reason.as_str());
    }
    for &reason in EndReason::ALL {
        let action = reason.action();
        let bye = ServerFrame::Bye { reason, action, retry_after_ms: u64::MAX, message: None };
        let (reason, action) = (reason.as_str(), action.as_str());
        assert_eq!(value(&bye), json!({"type": "bye", "reason": reason, "action": action, "retryAfterMs": u64::MAX}));
    }
    for &kind in SignalKind::ALL {
        let signal = ServerFrame::Signal { from: peer(A), kind, data: "0" };
        assert_eq!(value(&signal)["kind"], signal.kind().as_str());
    }
}
