//! A client's text, checked and understood.

use std::hint::black_box;

use switchboard::{
    config::Settings,
    protocol::client::{ParseLimits, parse},
};

use super::{
    Step,
    texts::{self, PEER},
};

/// As the configuration has them unless it says otherwise.
pub(crate) fn bounds() -> ParseLimits {
    let limits = Settings::default().limits;
    ParseLimits {
        room_name_bytes: limits.room_name_bytes,
        meta_bytes: limits.meta_bytes,
        json_depth: limits.json_depth,
        recipients: limits.recipients,
        report_events: limits.report_events,
    }
}

fn step(text: String, is_sound: bool) -> Step {
    let bounds = bounds();
    assert_eq!(parse(&text, &bounds).is_ok(), is_sound, "{text}");
    Step::of(move || {
        let _ = black_box(parse(black_box(&text), &bounds));
    })
}

pub(crate) fn offer() -> Step {
    step(texts::offer(PEER), true)
}

pub(crate) fn candidate() -> Step {
    step(texts::candidate(PEER), true)
}

pub(crate) fn ping() -> Step {
    step(r#"{"type":"ping","id":"6","t":1767225600123.25}"#.to_owned(), true)
}

/// Nothing is wrong with it until its end.
pub(crate) fn offer_cut_short() -> Step {
    let mut text = texts::offer(PEER);
    text.pop();
    step(text, false)
}
