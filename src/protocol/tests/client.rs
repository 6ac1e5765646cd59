//! What clients say, valid and invalid.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{A, B, BOUNDS, C, IDENTITY, JWT, TOKEN, compact, fixtures, peer, room, token};
use crate::protocol::{
    CandidateType, ErrorCode, FrameKind, Kick, Meta, PairEvent, PairFailure, PlainText, ReportEvent, ReportedError,
    ResumeToken, SignalKind, Target, Who,
    client::{BearerToken, ClientFrame, Identified, Request, ResumeParams, To, parse},
};

fn accepted(text: &str) -> Request<'_> {
    parse(text, &BOUNDS).unwrap_or_else(|refusal| panic!("{refusal:?}: {text}"))
}

fn refused(text: &str) -> String {
    parse(text, &BOUNDS).expect_err(text).message.into_owned()
}

fn signal(to: To, kind: SignalKind, data: &str) -> ClientFrame<'_> {
    ClientFrame::Signal { to, kind, data }
}

fn join(name: &str, meta: Option<Meta>, attempt: u32) -> ClientFrame<'static> {
    ClientFrame::Join { room: room(name), meta, attempt, resumable: false, resume: None, identified: None, token: None }
}

/// A resume whose frame says `resumable` or not: it means the same.
fn resume(token: Option<ResumeToken>, ack: u64) -> ClientFrame<'static> {
    let resume = Some(ResumeParams { token, ack });
    let (room, meta) = (room("team-standup"), None);
    ClientFrame::Join { room, meta, attempt: 1, resumable: true, resume, identified: None, token: None }
}

fn kick(target: Target, reason: Option<&str>, seconds: Option<u64>) -> ClientFrame<'static> {
    let reason = reason.map(|text| PlainText::parse(text, 256).expect("a text"));
    ClientFrame::Kick(Kick { target, reason, ban: seconds.map(Duration::from_secs) })
}

fn report(events: &[ReportEvent]) -> ClientFrame<'static> {
    ClientFrame::Report { events: events.to_vec() }
}

fn own_report() -> [ReportEvent; 3] {
    let busy = ReportEvent::Error(ReportedError::Server(ErrorCode::PeerBusy));
    [ReportEvent::Opened(84), ReportEvent::RoundTrip(31), busy]
}

fn pair_report() -> [ReportEvent; 4] {
    let (b, c) = (Some(peer(B)), Some(peer(C)));
    [
        ReportEvent::Pair(c, PairEvent::Attempt),
        ReportEvent::Pair(c, PairEvent::Connected(640, CandidateType::Srflx)),
        ReportEvent::Pair(b, PairEvent::Failed(PairFailure::IceTimeout)),
        ReportEvent::Pair(c, PairEvent::RoundTrip(22)),
    ]
}

/// What each client fixture means; `data` is that of the file, made compact.
fn meanings(data: &str) -> BTreeMap<&'static str, (Option<&'static str>, ClientFrame<'_>)> {
    let ada = |audio: bool| Meta::from_checked(&format!(r#"{{"name":"Ada","audio":{audio}}}"#));
    let team = "team-standup";
    let jwt = || Some(BearerToken::new(JWT));
    let granted = |attempt, resume: Option<_>| ClientFrame::Join {
        room: room(team),
        meta: None,
        attempt,
        resumable: resume.is_some(),
        resume,
        identified: None,
        token: jwt(),
    };
    let renewed = ResumeParams { token: Some(token(TOKEN)), ack: 17 };
    let first = ClientFrame::Join {
        room: room(team),
        meta: Some(ada(true)),
        attempt: 0,
        resumable: true,
        resume: None,
        identified: None,
        token: None,
    };
    let identified = |replace| Some(Identified { who: Who::of(IDENTITY, &room(team)), replace });
    let known = |resumable, identified| ClientFrame::Join {
        room: room(team),
        meta: None,
        attempt: 0,
        resumable,
        resume: None,
        identified,
        token: None,
    };
    let graces = Who::of("grace-grace-grace-grace-grace-1", &room(team));
    let some = To::Peers { known: vec![peer(A), peer(C)], unknown: vec![] };
    BTreeMap::from([
        ("join", (Some("1"), join(team, None, 0))),
        ("join_with_meta", (Some("1"), join(team, Some(ada(true)), 0))),
        ("join_again", (Some("1"), join(team, Some(ada(true)), 3))),
        ("join_escaped", (None, join("café 🎸", None, 0))),
        ("join_resumable", (Some("1"), first)),
        ("join_identity", (Some("1"), known(true, identified(false)))),
        ("join_replace", (Some("1"), known(false, identified(true)))),
        ("join_resume", (Some("1"), resume(Some(token(TOKEN)), 17))),
        ("join_token", (Some("1"), granted(0, None))),
        ("join_resume_token", (Some("1"), granted(1, Some(renewed)))),
        ("join_resume_elsewhere", (Some("1"), resume(None, 0))),
        ("leave", (Some("9"), ClientFrame::Leave)),
        ("signal_offer", (None, signal(To::Peer(peer(A)), SignalKind::Offer, data))),
        ("signal_answer", (Some("3"), signal(To::Peer(peer(B)), SignalKind::Answer, data))),
        ("signal_candidate", (None, signal(To::Peer(peer(A)), SignalKind::Candidate, data))),
        ("signal_candidates_end", (None, signal(To::Peer(peer(A)), SignalKind::Candidate, "null"))),
        ("signal_app_some", (Some("4"), signal(some, SignalKind::App, data))),
        ("signal_app_everyone", (None, signal(To::Everyone, SignalKind::App, r#""hello, all""#))),
        ("update", (Some("5"), ClientFrame::Update { meta: Some(ada(false)), token: None })),
        ("update_token", (Some("5"), ClientFrame::Update { meta: None, token: jwt() })),
        ("update_with_token", (Some("5"), ClientFrame::Update { meta: Some(ada(false)), token: jwt() })),
        ("ice", (Some("7"), ClientFrame::Ice)),
        ("ice_bare", (None, ClientFrame::Ice)),
        ("kick", (Some("7"), kick(Target::Peer(peer(C)), Some("Please come back when the exam is over."), Some(3600)))),
        ("kick_who", (Some("7"), kick(Target::Who(graces), None, None))),
        ("kick_user", (None, kick(Target::User("grace@example.org".into()), None, Some(1)))),
        ("lock", (Some("8"), ClientFrame::Lock { locked: true })),
        ("unlock", (Some("8"), ClientFrame::Lock { locked: false })),
        ("report", (None, report(&own_report()))),
        ("report_pairs", (Some("9"), report(&pair_report()))),
        ("ping", (Some("6"), ClientFrame::Ping { t: Some("1767225600123.25"), ack: None })),
        ("ping_ack", (Some("6"), ClientFrame::Ping { t: None, ack: Some(17) })),
        ("ping_bare", (None, ClientFrame::Ping { t: None, ack: None })),
    ])
}

/// The text of the last field, which is where the signal fixtures have their `data`.
fn data_of(compact: &str) -> &str {
    let start = compact.find(r#""data":"#).map_or(0, |at| at + r#""data":"#.len());
    &compact[start..compact.len() - 1]
}

#[test]
fn every_client_fixture_means_what_it_says() {
    let files = fixtures("client");
    assert!(
        files.keys().map(String::as_str).eq(meanings("").into_keys()),
        "a fixture without a meaning, or vice versa"
    );
    for (name, text) in files {
        let text = compact(&text);
        let (id, frame) = meanings(data_of(&text)).remove(name.as_str()).expect("checked above");
        assert_eq!(accepted(&text), Request { id: id.map(Cow::Borrowed), frame }, "{name}");
    }
}

#[test]
fn every_invalid_fixture_is_refused_as_it_says() {
    let files = fixtures("invalid");
    assert!(!files.is_empty());
    for (name, file) in files {
        let case: Value = serde_json::from_str(&file).expect("the fixture itself is JSON");
        assert!(case["why"].is_string(), "{name} does not say why");
        let text = case["text"].as_str().map_or_else(|| case["frame"].to_string(), str::to_owned);
        let refusal = parse(&text, &BOUNDS).expect_err(&name);
        assert_eq!(Some(refusal.code.as_str()), case["code"].as_str(), "{name}: {refusal:?}");
        assert_eq!(refusal.id.as_deref(), case["id"].as_str(), "{name}: {refusal:?}");
    }
}

#[test]
fn a_word_of_a_report_that_is_not_known_counts_as_another() {
    let said = |event: &str| match accepted(&format!(r#"{{"type":"report","events":[{event}]}}"#)).frame {
        ClientFrame::Report { events } => events[0],
        other => panic!("{other:?}"),
    };
    for later in [r#"{"kind":"danced"}"#, r#"{"kind":"danced","ms":-1,"with":["a",{}],"peer":null}"#] {
        assert_eq!(said(later), ReportEvent::Other, "{later}");
    }
    let pair = |event| ReportEvent::Pair(Some(peer(A)), event);
    let connected = PairEvent::Connected(1, CandidateType::Other);
    assert_eq!(said(&format!(r#"{{"kind":"pair_connected","peer":"{A}","ms":1,"candidate":"tcp"}}"#)), pair(connected));
    let failed = PairEvent::Failed(PairFailure::Other);
    assert_eq!(said(&format!(r#"{{"kind":"pair_failed","peer":"{A}","reason":"fate"}}"#)), pair(failed));
    assert_eq!(said(r#"{"kind":"pair_closed","peer":"bob"}"#), ReportEvent::Pair(None, PairEvent::Closed));
}

#[test]
fn limits_are_inclusive() {
    let name = format!("{}xx", "é".repeat(63));
    accepted(&json!({"type": "join", "room": name, "id": "x".repeat(64)}).to_string());
    let meta = json!({ "a": "x".repeat(BOUNDS.meta_bytes - 8) });
    assert_eq!(meta.to_string().len(), BOUNDS.meta_bytes);
    accepted(&json!({"type": "update", "meta": meta}).to_string());
    let deep = format!("{}{}", "[".repeat(32), "]".repeat(32));
    accepted(&format!(r#"{{"type":"signal","to":"*","kind":"app","data":{deep}}}"#));
    accepted(&json!({"type": "signal", "to": vec![A; 64], "kind": "app", "data": 1}).to_string());
    accepted(r#"{"type":"join","room":"a","attempt":4294967295}"#);
}

#[test]
fn resumable_can_be_said_either_way() {
    let said = |word: &str| match accepted(&format!(r#"{{"type":"join","room":"a"{word}}}"#)).frame {
        ClientFrame::Join { resumable, resume: None, .. } => resumable,
        other => panic!("{other:?}"),
    };
    assert_eq!((said(""), said(r#","resumable":false"#), said(r#","resumable":true"#)), (false, false, true));
}

#[test]
fn counts_go_as_far_as_they_can_be_written() {
    let most = format!(r#"{{"type":"ping","ack":{}}}"#, u64::MAX);
    assert_eq!(accepted(&most).frame, ClientFrame::Ping { t: None, ack: Some(u64::MAX) });
    let escaped = TOKEN.replacen('c', "\\u0063", 1);
    let text = format!(
        r#"{{"type":"join","room":"team-standup","attempt":1,"resume": {{ "ack": 0, "t\u006fken": "{escaped}" }} }}"#
    );
    assert_eq!(accepted(&text).frame, resume(Some(token(TOKEN)), 0));
}

#[test]
fn brackets_inside_strings_are_not_depth() {
    let text = format!(r#"{{"type":"signal","to":"*","kind":"app","data":"{}\""}}"#, "[{".repeat(40));
    assert_eq!(accepted(&text).frame.kind(), FrameKind::App);
}

#[test]
fn a_bottomless_payload_is_refused_without_recursion() {
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    for field in ["data", "to", "room", "resume", "extra"] {
        let text = format!(r#"{{"type":"signal","id":"1","{field}":{deep}}}"#);
        let refusal = parse(&text, &BOUNDS).expect_err("too deep");
        assert_eq!((refusal.code, refusal.id.as_deref()), (ErrorCode::InvalidMessage, Some("1")), "{field}");
    }
}

#[test]
fn escapes_work_in_names_and_in_every_string() {
    let text = r#"{"\u0074ype":"\u0073ignal","id":"caf\u00e9","to":"\u0033f1c9a52d07e4b6f8a1b2c3d4e5f6071","kind":"\u006fffer","data":"\u00e9"}"#;
    let request = accepted(text);
    assert_eq!(request.id.as_deref(), Some("café"));
    assert_eq!(request.frame, signal(To::Peer(peer(A)), SignalKind::Offer, r#""\u00e9""#));
}

#[test]
fn names_that_are_no_ids_are_kept_for_the_answer() {
    let shouted = A.to_uppercase();
    let to = |to: Value| {
        let text = json!({"type": "signal", "to": to, "kind": "app", "data": 1}).to_string();
        match accepted(&text).frame {
            ClientFrame::Signal { to, .. } => to,
            other => panic!("{other:?}"),
        }
    };
    let unknown = |known: &[&str], unknown: &[&str]| To::Peers {
        known: known.iter().copied().map(peer).collect(),
        unknown: unknown.iter().map(|name| Box::from(*name)).collect(),
    };
    assert_eq!(to(json!("nobody")), unknown(&[], &["nobody"]));
    assert_eq!(to(json!(shouted)), unknown(&[], &[&shouted]));
    assert_eq!(to(json!(["*"])), unknown(&[], &["*"]));
    assert_eq!(to(json!([C, "x", A, C, "x", ""])), unknown(&[C, A], &["x", ""]));
}

#[test]
fn a_refused_frame_is_counted_as_what_it_wanted_to_be() {
    let kind = |text: &str| parse(text, &BOUNDS).expect_err(text).kind;
    assert_eq!(kind(r#"{"type":"join"}"#), FrameKind::Join);
    assert_eq!(kind(r#"{"type":"signal","kind":"offer"}"#), FrameKind::Offer);
    assert_eq!(kind(r#"{"type":"signal","kind":"wave"}"#), FrameKind::Invalid);
    assert_eq!(kind(r#"{"type":"leave","type":"dance"}"#), FrameKind::Invalid);
    assert_eq!(kind("["), FrameKind::Invalid);
}

#[test]
fn refusals_say_what_is_wrong_and_quote_no_content() {
    assert_eq!(refused(r#"{"type":"join","room":""}"#), "room must not be empty");
    assert_eq!(refused(r#"{"type":"leave","room":"a"}"#), "room does not belong to a frame of this type");
    assert_eq!(refused(r#"{"type":"leave","leave":1,"more":2}"#), r#"unknown field "leave""#);
    assert_eq!(refused(r#"{"type":"leave","type":"leave"}"#), "type is repeated");
    assert_eq!(refused(r#""v=0""#), "not a JSON object");
    let long = format!(r#"{{"type":"leave","{}":1}}"#, "é".repeat(65));
    assert_eq!(refused(&long), format!("unknown field \"{}\"", "é".repeat(64)));
    for secret in [r#"["v=0 secret"]"#, r#"{"type":"update","meta":"secret"}"#, r#"{"secret"#, "secret"] {
        assert!(!refused(secret).contains("secret"), "{secret}");
    }
}

#[test]
fn a_resume_that_is_refused_quotes_no_token() {
    let secret = TOKEN.split_once('.').expect("two parts").1;
    for resume in [
        format!(r#""{TOKEN}""#),
        format!(r#"{{"token":"{TOKEN}"}}"#),
        format!(r#"{{"{TOKEN}":1}}"#),
        format!(r#"{{"token":["{TOKEN}"],"ack":1}}"#),
        format!(r#"{{"token":"{TOKEN}","ack":"{TOKEN}"}}"#),
    ] {
        let message = refused(&format!(r#"{{"type":"join","room":"a","resume":{resume}}}"#));
        assert!(message.starts_with("resume ") || message.starts_with("ack "), "{message}");
        assert!(!message.contains(secret), "{message}");
    }
}

#[test]
fn an_identity_has_its_bounds_and_a_resume_makes_nothing_of_it() {
    let said = |word: &str| match accepted(&format!(r#"{{"type":"join","room":"a",{word}}}"#)).frame {
        ClientFrame::Join { identified, .. } => identified,
        other => panic!("{other:?}"),
    };
    let (shortest, longest) = ("~".repeat(22), "!".repeat(128));
    for identity in [&shortest, &longest] {
        let who = Who::of(identity, &room("a"));
        assert_eq!(said(&format!(r#""identity":"{identity}""#)), Some(Identified { who, replace: false }));
    }
    assert_eq!(said(r#""replace":false"#), None);
    let escaped = IDENTITY.replacen('c', "\\u0063", 1);
    assert_eq!(
        said(&format!(r#""identity":"{escaped}""#)),
        said(&format!(r#""identity":"{IDENTITY}","replace":false"#))
    );
    assert_eq!(said(&format!(r#""identity":"{IDENTITY}","replace":true,"resume":{{"token":"x","ack":0}}"#)), None);
}

#[test]
fn nothing_that_is_said_of_an_identity_shows_it() {
    for identity in [format!("{IDENTITY} {IDENTITY}"), IDENTITY.repeat(5)] {
        let message = refused(&json!({"type": "join", "room": "a", "identity": identity}).to_string());
        assert!(message.starts_with("identity ") && !message.contains("horse"), "{message}");
    }
    let frame = json!({"type": "join", "room": "a", "identity": IDENTITY}).to_string();
    let shown = format!("{:?}", accepted(&frame).frame);
    assert!(shown.contains("who") && !shown.contains("horse"), "{shown}");
}

#[test]
fn a_resume_in_a_log_shows_no_secret() {
    let (session, secret) = TOKEN.split_once('.').expect("two parts");
    let shown = format!("{:?}", resume(Some(token(TOKEN)), 17));
    assert!(shown.contains(session) && !shown.contains(secret), "{shown}");
}

#[test]
fn a_frame_in_a_log_shows_no_payload() {
    let text = r#"{"type":"signal","to":"*","kind":"offer","data":"v=0"}"#;
    assert_eq!(format!("{:?}", accepted(text).frame), "Signal(Everyone, Offer, 5 bytes)");
}
