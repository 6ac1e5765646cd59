//! A client's text, read by the server and by `serde_json`. What the server takes is JSON with the same values, held to
//! the rules of docs/protocol.md as a second reader understands them; what it refuses breaks one of them. What it passes
//! on is the same bytes, in frames that are JSON again.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};
use switchboard::protocol::{
    ErrorCode, PeerId, PlainText, ReportEvent, ReportKind, ResumeToken, SignalKind, Target, TextFrame, Who,
    client::{BearerToken, ClientFrame, ParseError, ParseLimits, Request, To, parse},
    server::{ErrorFrame, ServerFrame, encode},
};

/// The defaults, but for shorter metadata and lists.
const BOUNDS: ParseLimits =
    ParseLimits { room_name_bytes: 128, meta_bytes: 256, json_depth: 32, recipients: 4, report_events: 3 };
const SENDER: &str = "a94d1e07c2b84f35b6e8d0f1a2c3e4f5";

/// Reads `text` in both ways, and compares.
pub fn play(text: &str) {
    let read = parse(text, &BOUNDS);
    let object = Object::read(text);
    match (&read, &object) {
        (Ok(request), Some(object)) => {
            let values = object.values.as_ref().expect("taken, though serde_json's values cannot hold it");
            assert_eq!(object.flaw(values), None, "taken, and breaks a rule");
            agrees(request, values);
            passes_on(request, text);
        }
        (Ok(request), None) => panic!("{request:?} was read from what is no JSON object"),
        (Err(refusal), object) => refused(refusal, object.as_ref()),
    }
}

/// A JSON object as `serde_json` reads it.
struct Object<'a> {
    /// Every name in it, repetitions included.
    names: Vec<String>,
    /// The text of each value; of a repeated name, the last.
    texts: BTreeMap<String, &'a str>,
    /// `None` where a number or a string is beyond what a value can hold.
    values: Option<Value>,
}

impl<'a> Object<'a> {
    fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str::<IgnoredAny>(text).ok()?;
        let Pairs(pairs) = serde_json::from_str(text).ok()?;
        let names = pairs.iter().map(|(name, _)| name.clone()).collect();
        let texts = pairs.into_iter().map(|(name, raw)| (name, raw.get())).collect();
        Some(Self { names, texts, values: serde_json::from_str(text).ok() })
    }

    /// Which rule of docs/protocol.md a frame with these values breaks.
    fn flaw(&self, values: &Value) -> Option<&'static str> {
        let mut names = self.names.clone();
        names.sort_unstable();
        names.dedup();
        let own: &[&str] = match values["type"].as_str() {
            Some("join") => &["room", "meta", "attempt", "resumable", "resume", "identity", "replace", "token"],
            Some("leave" | "ice") => &[],
            Some("signal") => &["to", "kind", "data"],
            Some("update") => &["meta", "token"],
            Some("kick") => &["peer", "who", "user", "reason", "banMs"],
            Some("lock") => &["locked"],
            Some("report") => &["events"],
            Some("ping") => &["t", "ack"],
            _ => return Some("type"),
        };
        let has = |name: &str| self.texts.contains_key(name);
        let count = |value: &Value| value.as_u64().is_some();
        let meta =
            || values["meta"].is_object() && self.texts["meta"].len() <= BOUNDS.meta_bytes && shallow(&values["meta"]);
        let number = |name: &str| values[name].is_number();
        match () {
            () if names.len() < self.names.len() => Some("a name is repeated"),
            () if names.iter().any(|name| !["type", "id"].contains(&&**name) && !own.contains(&&**name)) => {
                Some("a name")
            }
            () if has("id") && !values["id"].as_str().is_some_and(|id| (1..=64).contains(&id.len())) => Some("id"),
            () if own.contains(&"room") && !values["room"].as_str().is_some_and(good_room) => Some("room"),
            () if own.contains(&"meta") && has("meta") && !meta() => Some("meta"),
            () if own == ["meta", "token"] && !has("meta") && !has("token") => Some("meta is missing"),
            () if has("token") && !values["token"].is_string() => Some("token"),
            () if has("attempt") && values["attempt"].as_u64().is_none_or(|n| n > u64::from(u32::MAX)) => {
                Some("attempt")
            }
            () if has("resumable") && !values["resumable"].is_boolean() => Some("resumable"),
            () if has("resume") && !self.good_resume(&values["resume"]) => Some("resume"),
            () if has("resume") && values["resumable"] == false => Some("resume without resumable"),
            () if has("identity") && !values["identity"].as_str().is_some_and(good_identity) => Some("identity"),
            () if has("replace") && !values["replace"].is_boolean() => Some("replace"),
            () if values["replace"] == true && !has("identity") => Some("replace without identity"),
            () if own.contains(&"to") && !good_to(&values["to"]) => Some("to"),
            () if own.contains(&"kind") && !good_kind(&values["kind"]) => Some("kind"),
            () if own.contains(&"data") && !(has("data") && shallow(&values["data"])) => Some("data"),
            () if own.contains(&"peer") && !good_kick(values) => Some("kick"),
            () if own.contains(&"locked") && !values["locked"].is_boolean() => Some("locked"),
            () if own.contains(&"events") && !(has("events") && self.good_events(&values["events"])) => Some("events"),
            () if has("t") && !number("t") => Some("t"),
            () if has("ack") && !count(&values["ack"]) => Some("ack"),
            () if self.texts.values().any(|text| longest_number(text) > 400) => Some("a long number"),
            () => None,
        }
    }

    /// So many objects, each without a repeated name, and with exactly what its kind has, unless that is not known.
    fn good_events(&self, events: &Value) -> bool {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(self.texts["events"]) else { return false };
        (1..=BOUNDS.report_events).contains(&items.len())
            && shallow(events)
            && items.iter().all(|item| good_event(item.get()))
    }

    fn good_resume(&self, resume: &Value) -> bool {
        let Some(Pairs(pairs)) = serde_json::from_str(self.texts["resume"]).ok() else { return false };
        pairs.len() == 2 && resume["token"].is_string() && resume["ack"].as_u64().is_some()
    }
}

/// How many digits the longest number has: a second way to find them, by the places where a string begins or ends.
fn longest_number(text: &str) -> usize {
    let (mut inside, mut longest, mut digits) = (false, 0, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => inside = !inside,
            b'\\' => drop(bytes.next()),
            _ if inside => {}
            b'0'..=b'9' => digits += 1,
            b'.' | b'e' | b'E' | b'+' | b'-' => {}
            _ => digits = 0,
        }
        longest = longest.max(digits);
    }
    longest
}

/// The members of an object, in order, with their texts.
struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn shallow(value: &Value) -> bool {
    depth(value) <= BOUNDS.json_depth
}

fn good_room(name: &str) -> bool {
    (1..=BOUNDS.room_name_bytes).contains(&name.len()) && !name.chars().any(char::is_control)
}

fn good_identity(identity: &str) -> bool {
    (22..=128).contains(&identity.len()) && identity.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
}

/// Names one, in one way, for a time within bounds.
fn good_kick(kick: &Value) -> bool {
    let is = |name: &str, good: fn(&str) -> bool| kick[name].as_str().is_some_and(good);
    let named = [is("peer", is_peer), is("who", is_peer), is("user", |user| (1..=128).contains(&user.len()))];
    let said = ["peer", "who", "user"].iter().filter(|name| kick.get(name).is_some()).count();
    let shown = |text: &str| {
        (1..=256).contains(&text.len()) && text.chars().all(|letter| letter == '\n' || !letter.is_control())
    };
    said == 1
        && named.contains(&true)
        && kick.get("reason").is_none_or(|reason| reason.as_str().is_some_and(shown))
        && kick.get("banMs").is_none_or(|ban| ban.as_u64().is_some_and(|ban| (1000..=2_592_000_000).contains(&ban)))
}

fn good_event(text: &str) -> bool {
    let (Ok(Pairs(pairs)), Ok(event)) = (serde_json::from_str(text), serde_json::from_str::<Value>(text)) else {
        return false;
    };
    let known = |name: &str| ["kind", "peer", "ms", "candidate", "reason", "code"].contains(&name);
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| &**name).filter(|name| known(name)).collect();
    names.sort_unstable();
    if names.windows(2).any(|two| two[0] == two[1]) {
        return false;
    }
    let word = |name: &str| event[name].as_str().is_some_and(|word| word.len() <= 64);
    let own: &[&str] = match event["kind"].as_str() {
        Some("opened" | "round_trip" | "reconnected" | "session_ended") => &["kind", "ms"],
        Some("reconnect_attempt" | "reconnect_failed") => &["kind"],
        Some("error") => &["code", "kind"],
        Some("pair_attempt" | "pair_restarted" | "pair_closed") => &["kind", "peer"],
        Some("pair_connected") => &["candidate", "kind", "ms", "peer"],
        Some("pair_failed") => &["kind", "peer", "reason"],
        Some("pair_round_trip") => &["kind", "ms", "peer"],
        _ => return word("kind"),
    };
    let good = |name: &&str| {
        if *name == "ms" { event["ms"].as_u64().is_some_and(|ms| u32::try_from(ms).is_ok()) } else { word(name) }
    };
    pairs.len() == own.len() && names == own && own.iter().all(good)
}

fn good_kind(kind: &Value) -> bool {
    kind.as_str().is_some_and(|kind| ["offer", "answer", "candidate", "app"].contains(&kind))
}

fn good_to(to: &Value) -> bool {
    let short = |name: &Value| name.as_str().is_some_and(|name| name.len() <= 64);
    match to {
        Value::Array(names) => (1..=BOUNDS.recipients).contains(&names.len()) && names.iter().all(short),
        name => short(name),
    }
}

fn is_peer(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// The request says what the values say.
fn agrees(request: &Request<'_>, values: &Value) {
    assert_eq!(request.id.as_deref(), values["id"].as_str());
    match &request.frame {
        ClientFrame::Join { room, meta, attempt, resumable, resume, identified, token } => {
            assert_eq!(values["type"], "join");
            assert_eq!(Some(room.as_str()), values["room"].as_str());
            assert_eq!(meta.as_ref().map(|meta| value(meta.as_str())).unwrap_or_default(), values["meta"]);
            assert_eq!(token.as_ref().map(BearerToken::reveal), values["token"].as_str());
            assert_eq!(u64::from(*attempt), values["attempt"].as_u64().unwrap_or(0));
            assert_eq!(*resumable, resume.is_some() || values["resumable"] == true);
            assert_eq!(resume.as_ref().map(|resume| resume.ack), values["resume"]["ack"].as_u64());
            let token = values["resume"]["token"].as_str();
            assert_eq!(resume.as_ref().and_then(|resume| resume.token), token.and_then(ResumeToken::parse));
            let written = resume.as_ref().and_then(|resume| resume.token).map(|token| token.to_string());
            assert!(written.is_none() || written.as_deref() == token, "a token has one form");
            let identity = values["identity"].as_str().filter(|_| resume.is_none());
            assert_eq!(identified.map(|identified| identified.who), identity.map(|identity| Who::of(identity, room)));
            assert!(identified.is_none_or(|identified| identified.replace == (values["replace"] == true)));
        }
        ClientFrame::Leave => assert_eq!(values["type"], "leave"),
        ClientFrame::Ice => assert_eq!(values["type"], "ice"),
        ClientFrame::Signal { to, kind, data } => {
            assert_eq!(values["type"], "signal");
            assert_eq!(Some(*kind), values["kind"].as_str().and_then(SignalKind::parse));
            assert_eq!(value(data), values["data"]);
            addressed(to, &values["to"]);
        }
        ClientFrame::Update { meta, token } => {
            assert_eq!(values["type"], "update");
            assert!(meta.is_some() || token.is_some());
            assert_eq!(meta.as_ref().map(|meta| value(meta.as_str())).unwrap_or_default(), values["meta"]);
            assert_eq!(token.as_ref().map(BearerToken::reveal), values["token"].as_str());
        }
        ClientFrame::Kick(kick) => {
            assert_eq!(values["type"], "kick");
            match &kick.target {
                Target::Peer(peer) => assert_eq!(values["peer"], peer.to_string()),
                Target::Who(who) => assert_eq!(values["who"], who.encode(&mut [0; Who::TEXT_BYTES])),
                Target::User(user) => assert_eq!(values["user"], **user),
            }
            assert_eq!(kick.reason.as_ref().map(PlainText::as_str), values["reason"].as_str());
            assert_eq!(kick.ban.map(|ban| ban.as_millis()), values["banMs"].as_u64().map(u128::from));
        }
        ClientFrame::Lock { locked } => {
            assert_eq!((&values["type"], &values["locked"]), (&Value::from("lock"), &Value::from(*locked)));
        }
        ClientFrame::Report { events } => {
            assert_eq!(values["type"], "report");
            let said = values["events"].as_array().expect("a list").iter();
            let kinds = said.map(|event| ReportKind::parse(event["kind"].as_str().expect("a word")));
            assert!(events.iter().map(ReportEvent::kind).eq(kinds));
        }
        ClientFrame::Ping { t, ack } => {
            assert_eq!(values["type"], "ping");
            assert_eq!(t.map(value).unwrap_or_default(), values["t"]);
            assert_eq!(*ack, values["ack"].as_u64());
        }
    }
}

fn addressed(to: &To, value: &Value) {
    let mut names: Vec<&str> = match value {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => name.as_str().into_iter().collect(),
    };
    let mut once = Vec::new();
    names.retain(|name| {
        !once.contains(name) && {
            once.push(*name);
            true
        }
    });
    match to {
        To::Everyone => assert_eq!(value, "*"),
        To::Peer(peer) => assert_eq!(value.as_str(), Some(&*peer.to_string())),
        To::Peers { known, unknown } => {
            let (ids, others): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| is_peer(name));
            assert_eq!(known.iter().map(ToString::to_string).collect::<Vec<_>>(), ids);
            assert_eq!(unknown.iter().map(|name| &**name).collect::<Vec<_>>(), others);
            assert!(value.is_array() || (others.len() == 1 && ids.is_empty()));
        }
    }
}

/// What others will read is the client's own bytes, in JSON.
fn passes_on(request: &Request<'_>, text: &str) {
    let sender = PeerId::parse(SENDER).expect("an id");
    let id = request.id.as_deref();
    match &request.frame {
        ClientFrame::Signal { data, kind, .. } => {
            let within = text.as_bytes().as_ptr_range();
            assert!(within.contains(&data.as_ptr()), "borrowed from the client's text");
            let frame = encode(&ServerFrame::Signal { from: sender, kind: *kind, data });
            let start = format!(r#"{{"type":"signal","from":"{SENDER}","kind":"{}","data":"#, kind.as_str());
            assert_eq!(frame.json(), [&start, *data, "}"].concat().as_bytes());
            reads(&frame);
        }
        ClientFrame::Join { meta: Some(meta), .. } => {
            assert!(text.contains(meta.as_str()));
            let frame = encode(&ServerFrame::PeerJoined {
                id: sender,
                meta: Some(meta),
                user: None,
                polite: false,
                who: None,
                replaces: None,
            });
            assert!(has(&frame, meta.as_str()));
            reads(&frame);
        }
        ClientFrame::Update { meta: Some(meta), .. } => {
            assert!(text.contains(meta.as_str()));
            let frame = encode(&ServerFrame::PeerUpdated { re: id, id: sender, meta });
            assert!(has(&frame, meta.as_str()));
            reads(&frame);
        }
        ClientFrame::Ping { t, ack } => {
            let frame = encode(&ServerFrame::Pong { re: id, t: *t, ack: *ack });
            assert!(t.is_none_or(|t| has(&frame, t)));
            reads(&frame);
        }
        ClientFrame::Join { meta: None, .. }
        | ClientFrame::Update { meta: None, .. }
        | ClientFrame::Leave
        | ClientFrame::Kick(_)
        | ClientFrame::Lock { .. }
        | ClientFrame::Report { .. }
        | ClientFrame::Ice => {}
    }
}

fn has(frame: &TextFrame, text: &str) -> bool {
    std::str::from_utf8(frame.json()).expect("a frame is UTF-8").contains(text)
}

fn reads(frame: &TextFrame) {
    serde_json::from_slice::<IgnoredAny>(frame.json()).expect("a frame is JSON");
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("it was part of what serde_json reads")
}

/// There is a rule that it breaks, and the answer is a frame that carries the request's `id`, if that is a good one.
fn refused(refusal: &ParseError, object: Option<&Object<'_>>) {
    let frame = encode(&ServerFrame::Error(ErrorFrame {
        re: refusal.id.as_deref(),
        ..ErrorFrame::new(refusal.code, &refusal.message)
    }));
    let answer: Value = serde_json::from_slice(frame.json()).expect("an error is JSON");
    assert_eq!(answer["re"].as_str(), refusal.id.as_deref());
    assert!(refusal.kind.is_incoming());
    let Some(object) = object else { return };
    let Some(values) = &object.values else { return };
    assert!(object.flaw(values).is_some(), "refused, and breaks no rule: {}", refusal.message);
    let once = object.names.iter().filter(|name| *name == "id").count() == 1;
    let id = values["id"].as_str().filter(|id| once && (1..=64).contains(&id.len()));
    assert_eq!(refusal.id.as_deref(), id);
    let known = ["join", "leave", "signal", "update", "ping"].map(Value::from).contains(&values["type"]);
    assert!(refusal.code == ErrorCode::InvalidMessage || (values["type"].is_string() && !known));
}
