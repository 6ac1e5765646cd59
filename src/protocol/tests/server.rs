//! What the server says, byte for byte.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{A, B, C, IDENTITY, NEXT_TOKEN, TOKEN, compact, fixtures, peer, room, token};
use crate::protocol::{
    ByeAction, EndReason, ErrorCode, LeaveReason, Meta, Permissions, PlainText, RoomName, SessionId, SignalKind,
    TextFrame, Who, error_texts,
    plain_text::NOTICE_BYTES,
    server::{
        ErrorBody, ErrorFrame, GrantView, Joined, PeerView, PreparedWelcome, ResumeStatus, ServerFrame, Welcome,
        WelcomeHeartbeat, encode,
    },
};

const LIMITS: [(&str, u64); 21] = [
    ("frameBytes", 65_536),
    ("queueBytes", 786_432),
    ("queueFrames", 256),
    ("busyPauseMs", 1000),
    ("metaBytes", 4096),
    ("roomNameBytes", 128),
    ("peersPerRoom", 10),
    ("recipients", 64),
    ("jsonDepth", 32),
    ("joinTimeoutMs", 10_000),
    ("resumeFrames", 512),
    ("resumeBytes", 1_572_864),
    ("resumeWindowMs", 30_000),
    ("frameRate", 50),
    ("frameBurst", 200),
    ("byteRate", 131_072),
    ("byteBurst", 1_048_576),
    ("byteRatePerAddress", 8_388_608),
    ("byteBurstPerAddress", 335_544_320),
    ("reportIntervalMs", 5000),
    ("reportEvents", 32),
];

fn limits() -> Vec<(String, u64)> {
    LIMITS.map(|(name, limit)| (name.to_owned(), limit)).to_vec()
}

/// What the one who is told is told of a STUN server and a TURN server, whose credentials are its own.
const MINTED: &str = r#"[{"urls":["stun:stun.example.org:3478"]},{"credential":"gsSb0D2Gq/POFaSP3HHEQGHxBVw=","urls":["turn:turn.example.org:3478?transport=udp","turn:turn.example.org:3478?transport=tcp"],"username":"1796000000:3f1c9a52d07e4b6f8a1b2c3d4e5f6071"}]"#;

/// The end of the time in which somebody can come back.
const UNTIL: u64 = 1_767_225_630_123;

fn ada(audio: bool) -> Meta {
    Meta::from_checked(&format!(r#"{{"name":"Ada","audio":{audio}}}"#))
}

fn text(frame: &TextFrame) -> String {
    String::from_utf8(frame.json().to_vec()).expect("frames are UTF-8")
}

/// The payload of a signal fixture, made compact: the encoder passes it on as it is.
fn payload(file: &str) -> String {
    let (_, data) = file.split_once(r#""data":"#).expect("a signal");
    data.strip_suffix('}').expect("an object").to_owned()
}

/// A peer as the fixtures' newcomer sees it.
fn seen(id: &str, meta: Option<&Meta>, away_until_ms: Option<u64>) -> PeerView {
    PeerView { id: peer(id), meta: meta.cloned(), who: None, user: None, polite: true, away_until_ms }
}

fn greeting() -> PreparedWelcome {
    let welcome = Welcome {
        version: "0.1.0",
        node: Some("eu-1"),
        features: &["resume", "wait", "identity", "busy", "ice", "moderation", "report"],
        limits: &limits(),
        heartbeat: WelcomeHeartbeat { interval_ms: 30_000, timeout_ms: 60_000 },
    };
    welcome.prepare()
}

fn joined_frames() -> [(&'static str, TextFrame); 5] {
    let grace = Meta::from_checked(r#"{"name":"Grace"}"#);
    let ice = r#"[{"urls":["stun:stun.example.org:3478"]},{"urls":["turn:turn.example.org:3478"],"username":"ada","credential":"open sesame"}]"#;
    let room = room("team-standup");
    let meta = ada(true);
    let first = Joined {
        re: Some("1"),
        me: peer(A),
        meta: None,
        who: None,
        room: &room,
        resumed: None,
        peers: Some(&[]),
        capacity: 10,
        locked: false,
        ice_servers_json: "[]",
        ice_ttl_ms: None,
        grant: None,
        resume: None,
    };
    let peers = [seen(A, Some(&grace), None), seen(C, None, None)];
    let later = Joined { me: peer(B), meta: Some(&meta), peers: Some(&peers), ice_servers_json: ice, ..first };
    let graces = Who::of("grace-grace-grace-grace-grace-1", &room);
    let known = [PeerView { who: Some(graces), ..seen(A, Some(&grace), None) }];
    let named = Joined { me: peer(B), who: Some(Who::of(IDENTITY, &room)), peers: Some(&known), ..first };
    let minted = Joined { ice_servers_json: MINTED, ice_ttl_ms: Some(43_200_000), ..first };
    [
        ("joined_ice", encode(&ServerFrame::Joined(minted))),
        ("joined_first", encode(&ServerFrame::Joined(first))),
        ("joined", encode(&ServerFrame::Joined(later))),
        ("joined_who", encode(&ServerFrame::Joined(named))),
        ("joined_locked", encode(&ServerFrame::Joined(Joined { locked: true, ..first }))),
    ]
}

/// Ada's session: begun, and given back with and without all that was on the way.
fn resumable_frames() -> [(&'static str, TextFrame); 3] {
    let grace = Meta::from_checked(r#"{"name":"Grace"}"#);
    let peers = [seen(A, Some(&grace), None), seen(C, None, Some(UNTIL))];
    let tokens = [token(TOKEN), token(NEXT_TOKEN)];
    let begun = Joined {
        re: Some("1"),
        me: peer(B),
        meta: Some(&ada(true)),
        who: None,
        room: &room("team-standup"),
        resumed: None,
        peers: Some(&peers),
        capacity: 10,
        locked: false,
        ice_servers_json: "[]",
        ice_ttl_ms: None,
        grant: None,
        resume: Some((&tokens[0], 30_000)),
    };
    let resumed = |complete, peers| Joined {
        resumed: Some(ResumeStatus { complete, ack: 4 }),
        peers,
        resume: Some((&tokens[1], 30_000)),
        ..begun
    };
    [
        ("joined_resumable", encode(&ServerFrame::Joined(begun))),
        ("joined_resumed", encode(&ServerFrame::Joined(resumed(true, None)))),
        ("joined_resumed_incomplete", encode(&ServerFrame::Joined(resumed(false, Some(&peers[..1]))))),
    ]
}

/// Ada, whose token names her, where users are shown.
fn granted_frames() -> [(&'static str, TextFrame); 2] {
    let (meta, room) = (ada(true), room("team-standup"));
    let host = PeerView { user: Some("grace@example.org".into()), ..seen(A, None, None) };
    let grant = GrantView {
        permissions: Permissions::USUAL.and(Permissions::ADMIN),
        expires_in_ms: 3_600_000,
        user: Some("ada@example.org"),
    };
    let joined = Joined {
        re: Some("1"),
        me: peer(B),
        meta: Some(&meta),
        who: None,
        room: &room,
        resumed: None,
        peers: Some(&[host]),
        capacity: 4,
        locked: false,
        ice_servers_json: "[]",
        ice_ttl_ms: None,
        grant: Some(grant),
        resume: None,
    };
    let news = ServerFrame::PeerJoined {
        id: peer(B),
        meta: Some(&meta),
        user: grant.user,
        polite: false,
        who: None,
        replaces: None,
    };
    [("joined_granted", encode(&ServerFrame::Joined(joined))), ("peer_joined_user", encode(&news))]
}

fn error(frame: &ErrorFrame<'_>) -> TextFrame {
    encode(&ServerFrame::Error(*frame))
}

fn errors() -> Vec<(&'static str, TextFrame)> {
    let frame = |code, message, re| ErrorFrame { re: Some(re), ..ErrorFrame::new(code, message) };
    let unnamed = RoomName::parse("", 128).expect_err("a name has a character").to_string();
    let unnamed = frame(ErrorCode::InvalidMessage, &unnamed, "1");
    let busy = frame(ErrorCode::RateLimited, error_texts::ROOM_IS_BUSY, "5");
    let fast = ErrorFrame::new(ErrorCode::RateLimited, error_texts::TOO_FAST);
    let draining = frame(ErrorCode::ServerDraining, error_texts::DRAINING, "1");
    let closed = frame(ErrorCode::RoomClosed, error_texts::ROOM_ENDED, "1");
    let banned = frame(ErrorCode::Banned, error_texts::BANNED, "1");
    let bans = frame(ErrorCode::RateLimited, error_texts::TOO_MANY_BANS, "7");
    let locked = frame(ErrorCode::RoomLocked, error_texts::ROOM_LOCKED, "1");
    let full = frame(ErrorCode::RoomFull, error_texts::ROOM_FULL, "1");
    let unknown = frame(ErrorCode::SessionNotFound, error_texts::NO_SUCH_SESSION, "1");
    let expired = frame(ErrorCode::TokenExpired, error_texts::TOKEN_EXPIRED, "1");
    let unauthorized = frame(ErrorCode::Unauthorized, error_texts::TOKEN_MISSING, "1");
    let denied = frame(ErrorCode::PermissionDenied, error_texts::NOT_PERMITTED, "4");
    let missing = frame(ErrorCode::PeerNotFound, error_texts::NO_SUCH_PEER, "4");
    let full_peer = frame(ErrorCode::PeerBusy, error_texts::PEER_BUSY, "5");
    let unavailable = frame(ErrorCode::Unavailable, error_texts::UNAVAILABLE, "1");
    let unreached = ErrorFrame::new(ErrorCode::Unavailable, error_texts::UNREACHED);
    vec![
        ("error_invalid_message", error(&unnamed)),
        ("error_room_full", error(&ErrorFrame { retry_after_ms: Some(5000), ..full })),
        ("error_banned", error(&ErrorFrame { retry_after_ms: Some(3_600_000), ..banned })),
        ("error_too_many_bans", error(&ErrorFrame { retry_after_ms: Some(60_000), ..bans })),
        ("error_room_locked", error(&ErrorFrame { retry_after_ms: Some(5000), ..locked })),
        ("error_room_closed", error(&closed)),
        ("error_draining", error(&ErrorFrame { retry_after_ms: Some(7350), ..draining })),
        ("error_session_not_found", error(&unknown)),
        ("error_token_expired", error(&expired)),
        ("error_unauthorized", error(&unauthorized)),
        ("error_permission_denied", error(&denied)),
        ("error_rate_limited", error(&busy)),
        ("error_too_fast", error(&ErrorFrame { retry_after_ms: Some(4000), ..fast })),
        (
            "error_peer_not_found",
            error(&ErrorFrame { peers: &[peer(C)], unknown_peers: &["nobody".into()], ..missing }),
        ),
        ("error_peer_busy", error(&ErrorFrame { peers: &[peer(C)], retry_after_ms: Some(1000), ..full_peer })),
        ("error_unavailable", error(&ErrorFrame { retry_after_ms: Some(5000), ..unavailable })),
        ("error_unreached", error(&ErrorFrame { peers: &[peer(C)], retry_after_ms: Some(5000), ..unreached })),
    ]
}

fn moderated_frames(room: &RoomName) -> [(&'static str, TextFrame); 7] {
    let text = |text| PlainText::parse(text, NOTICE_BYTES).expect("a text");
    let (restart, exam) =
        (text("This server restarts at 22:00.\nYour calls go on."), text("Please come back when the exam is over."));
    let (reason, action) = (EndReason::Kicked, EndReason::Kicked.action());
    let who = Some(Who::of("grace-grace-grace-grace-grace-1", room));
    [
        ("kicked", ServerFrame::Kicked { re: Some("7"), who: None }),
        ("kicked_who", ServerFrame::Kicked { re: None, who }),
        ("peer_left_kicked", ServerFrame::PeerLeft { id: peer(C), reason: LeaveReason::Kicked }),
        ("room_state", ServerFrame::RoomState { re: None, locked: true }),
        ("room_state_reply", ServerFrame::RoomState { re: Some("8"), locked: false }),
        ("notice", ServerFrame::Notice { text: &restart }),
        ("bye_kicked", ServerFrame::Bye { reason, action, retry_after_ms: 0, message: Some(&exam) }),
    ]
    .map(|(name, frame)| (name, encode(&frame)))
}

/// To whoever comes back to the next process.
fn handed_over() -> ServerFrame<'static> {
    let (reason, action) = (EndReason::ServerDraining, ByeAction::Resume);
    ServerFrame::Bye { reason, action, retry_after_ms: 512, message: None }
}

fn plain_frames() -> Vec<(&'static str, TextFrame)> {
    let (room, id, server) = (room("team-standup"), peer(B), greeting());
    let session = SessionId::parse("c7e0b1d2f3a44586978695a4b3c2d1e0").expect("a canonical id");
    let (on, off, usual) = (ada(true), ada(false), Permissions::USUAL);
    let (who, replaces) = (Some(Who::of(IDENTITY, &room)), Some(peer(C)));
    let lasting = r#"[{"urls":["stun:stun.example.org:3478"]}]"#;
    let bye = |reason: EndReason, retry_after_ms| {
        let (action, message) = (reason.action(), None);
        ServerFrame::Bye { reason, action, retry_after_ms, message }
    };
    let joined = |meta, who, replaces| ServerFrame::PeerJoined { id, meta, user: None, polite: false, who, replaces };
    let frames = [
        ("welcome", ServerFrame::Welcome { session, server: &server }),
        ("left", ServerFrame::Left { re: Some("9"), room: &room }),
        ("peer_joined", joined(Some(&on), None, None)),
        ("peer_joined_who", joined(None, who, None)),
        ("peer_joined_replaces", joined(Some(&on), who, replaces)),
        ("peer_left", ServerFrame::PeerLeft { id, reason: LeaveReason::Left }),
        ("peer_left_replaced", ServerFrame::PeerLeft { id: peer(C), reason: LeaveReason::Replaced }),
        ("peer_updated", ServerFrame::PeerUpdated { re: None, id, meta: &off }),
        ("peer_updated_reply", ServerFrame::PeerUpdated { re: Some("5"), id, meta: &off }),
        ("peer_away", ServerFrame::PeerAway { id, until_ms: UNTIL }),
        ("peer_back", ServerFrame::PeerBack { id }),
        ("pong", ServerFrame::Pong { re: Some("6"), t: Some("1767225600123.25"), ack: None }),
        ("pong_ack", ServerFrame::Pong { re: Some("6"), t: None, ack: Some(4) }),
        ("pong_bare", ServerFrame::Pong { re: None, t: None, ack: None }),
        ("permissions", ServerFrame::Permissions { re: None, permissions: usual, expires_in_ms: 60_000 }),
        ("permissions_reply", ServerFrame::Permissions { re: Some("5"), permissions: usual, expires_in_ms: 3_600_000 }),
        ("ice_servers", ServerFrame::IceServers { re: Some("7"), json: MINTED, ttl_ms: Some(43_200_000) }),
        ("ice_servers_lasting", ServerFrame::IceServers { re: None, json: lasting, ttl_ms: None }),
        ("room_closed", ServerFrame::RoomClosed { room: &room }),
        ("bye_draining", bye(EndReason::ServerDraining, 7350)),
        ("bye_handover", handed_over()),
        ("bye_session_taken", bye(EndReason::SessionTaken, 0)),
        ("bye_token_expired", bye(EndReason::TokenExpired, 0)),
        ("bye_room_closed", bye(EndReason::RoomClosed, 0)),
        ("bye_binary", bye(EndReason::BinaryMessage, 0)),
    ];
    let moderated = moderated_frames(&room);
    frames.iter().map(|(name, frame)| (*name, encode(frame))).chain(moderated).collect()
}

#[test]
fn every_server_fixture_is_what_the_encoder_says() {
    let files = fixtures("server");
    let signals = [
        ("signal_offer", B, SignalKind::Offer),
        ("signal_answer", A, SignalKind::Answer),
        ("signal_candidate", B, SignalKind::Candidate),
        ("signal_app", B, SignalKind::App),
    ];
    let signals = signals.map(|(name, from, kind)| {
        let data = payload(&compact(&files[name]));
        (name, encode(&ServerFrame::Signal { from: peer(from), kind, data: &data }))
    });
    let joined = joined_frames().into_iter().chain(resumable_frames()).chain(granted_frames());
    let encoded: BTreeMap<&str, TextFrame> =
        plain_frames().into_iter().chain(joined).chain(errors()).chain(signals).collect();
    assert!(files.keys().map(String::as_str).eq(encoded.keys().copied()), "a fixture nobody encodes, or vice versa");
    for (name, frame) in encoded {
        assert_eq!(text(&frame), compact(&files[name]), "{name}");
        assert!(serde_json::from_slice::<Value>(frame.json()).is_ok(), "{name}");
    }
}

#[test]
fn a_refused_http_request_reads_like_an_error_frame() {
    let request = "0d5b7f0e9a3c4c1e8f2a6b7c8d9e0f11";
    let (full, fast) = (error_texts::SERVER_FULL, error_texts::TOO_MANY_HANDSHAKES);
    let origin = error_texts::origin_denied("https://rooms.example.org", "signal.example.org");
    let bodies = BTreeMap::from([
        ("over_capacity", ErrorBody::new(ErrorCode::OverCapacity, full).after(Some(5000)).http(request)),
        ("rate_limited", ErrorBody::new(ErrorCode::RateLimited, fast).after(Some(2000)).http(request)),
        ("origin_denied", ErrorBody::new(ErrorCode::OriginDenied, &origin).http(request)),
    ]);
    let files = fixtures("http");
    assert!(files.keys().map(String::as_str).eq(bodies.keys().copied()));
    for (name, body) in bodies {
        assert_eq!(body, compact(&files[name]), "{name}");
    }
}

#[test]
fn features_are_listed() {
    let features = ["one", "two"];
    let welcome = Welcome {
        version: "0",
        node: None,
        features: &features,
        limits: &limits(),
        heartbeat: WelcomeHeartbeat { interval_ms: 1, timeout_ms: 2 },
    };
    let frame = encode(&ServerFrame::Welcome { session: SessionId::random(), server: &welcome.prepare() });
    let value: Value = serde_json::from_slice(frame.json()).expect("JSON");
    assert_eq!(value["features"], serde_json::json!(features));
    assert_eq!(value.get("node"), None, "a server without a name");
}
