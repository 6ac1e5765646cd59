//! `report`: events of a closed vocabulary, each an object of its own.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::{
    ParseLimits, check,
    fields::{Field, Fields, text},
    list,
    refusal::FieldError,
};
use crate::protocol::{
    ids::PeerId,
    report::{CandidateType, PairEvent, PairFailure, ReportEvent, ReportKind, ReportedError},
};

/// Longest word of an event, in bytes.
const WORD_BYTES: usize = 64;

/// What an event may have beside its `kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
enum Part {
    Kind,
    Peer,
    Ms,
    Candidate,
    Reason,
    Code,
}

/// Which of them an event of that kind has: these, and no others.
fn own(kind: ReportKind) -> &'static [Part] {
    match kind {
        ReportKind::Opened | ReportKind::RoundTrip | ReportKind::Reconnected | ReportKind::SessionEnded => &[Part::Ms],
        ReportKind::ReconnectAttempt | ReportKind::ReconnectFailed | ReportKind::Other => &[],
        ReportKind::Error => &[Part::Code],
        ReportKind::PairAttempt | ReportKind::PairRestarted | ReportKind::PairClosed => &[Part::Peer],
        ReportKind::PairConnected => &[Part::Peer, Part::Ms, Part::Candidate],
        ReportKind::PairFailed => &[Part::Peer, Part::Reason],
        ReportKind::PairRoundTrip => &[Part::Peer, Part::Ms],
    }
}

/// The names of what an event of that kind has beside its `kind`.
#[cfg(test)]
pub(in crate::protocol) fn own_parts(kind: ReportKind) -> Vec<&'static str> {
    own(kind).iter().map(Into::into).collect()
}

/// Reads the events.
pub(super) fn events(fields: &Fields<'_>, bounds: &ParseLimits) -> Result<Vec<ReportEvent>, FieldError> {
    let raw = check::passable(Field::Events, check::required(fields, Field::Events)?, bounds)?;
    let items = if raw.starts_with('[') { list::items(raw, bounds.report_events) } else { Some(Vec::new()) };
    let items = items.ok_or_else(|| flaw(format!("has more than {}", bounds.report_events)))?;
    if items.is_empty() {
        return Err(flaw("must be a list of one or more"));
    }
    items.into_iter().map(|item| event(item.get())).collect()
}

fn flaw(complaint: impl AsRef<str>) -> FieldError {
    FieldError::field(Field::Events, complaint)
}

fn event(raw: &str) -> Result<ReportEvent, FieldError> {
    let parts = raw.starts_with('{').then(|| serde_json::from_str::<Parts<'_>>(raw).ok()).flatten();
    let parts = parts.ok_or_else(|| flaw("must list objects, each with a name once"))?;
    let kind = ReportKind::parse(&parts.word(Part::Kind)?);
    if kind == ReportKind::Other {
        // Of a later version, with whatever that has.
        return Ok(ReportEvent::Other);
    }
    if parts.is_more || !parts.are(own(kind)) {
        return Err(flaw(format!("has other parts than a {} has", kind.as_str())));
    }
    Ok(match kind {
        ReportKind::Opened => ReportEvent::Opened(parts.ms()?),
        ReportKind::RoundTrip => ReportEvent::RoundTrip(parts.ms()?),
        ReportKind::ReconnectAttempt => ReportEvent::ReconnectAttempt,
        ReportKind::Reconnected => ReportEvent::Reconnected(parts.ms()?),
        ReportKind::ReconnectFailed => ReportEvent::ReconnectFailed,
        ReportKind::SessionEnded => ReportEvent::SessionEnded(parts.ms()?),
        ReportKind::Error => ReportEvent::Error(ReportedError::parse(&parts.word(Part::Code)?)),
        ReportKind::PairAttempt => parts.pair(PairEvent::Attempt)?,
        ReportKind::PairConnected => {
            parts.pair(PairEvent::Connected(parts.ms()?, CandidateType::parse(&parts.word(Part::Candidate)?)))?
        }
        ReportKind::PairFailed => parts.pair(PairEvent::Failed(PairFailure::parse(&parts.word(Part::Reason)?)))?,
        ReportKind::PairRoundTrip => parts.pair(PairEvent::RoundTrip(parts.ms()?))?,
        ReportKind::PairRestarted => parts.pair(PairEvent::Restarted)?,
        ReportKind::PairClosed => parts.pair(PairEvent::Closed)?,
        ReportKind::Other => ReportEvent::Other,
    })
}

/// An event taken apart: the text of each part that is known.
#[derive(Default)]
struct Parts<'a> {
    values: [Option<&'a str>; Part::VARIANTS.len()],
    /// Whether there are others.
    is_more: bool,
}

impl Parts<'_> {
    fn are(&self, own: &[Part]) -> bool {
        let wanted = |part: &Part| *part == Part::Kind || own.contains(part);
        Part::VARIANTS.iter().all(|part| self.values[*part as usize].is_some() == wanted(part))
    }

    fn word(&self, part: Part) -> Result<String, FieldError> {
        let word = self.values[part as usize].and_then(text).filter(|word| word.len() <= WORD_BYTES);
        word.map(Cow::into_owned).ok_or_else(|| {
            let name: &str = part.into();
            flaw(format!("must have as {name} a string of at most {WORD_BYTES} bytes"))
        })
    }

    /// As with other counts, digits only.
    fn ms(&self) -> Result<u32, FieldError> {
        let ms = self.values[Part::Ms as usize].and_then(|raw| raw.parse().ok());
        ms.ok_or_else(|| flaw("must have as ms an integer from 0 to 4294967295"))
    }

    fn pair(&self, event: PairEvent) -> Result<ReportEvent, FieldError> {
        Ok(ReportEvent::Pair(PeerId::parse(&self.word(Part::Peer)?), event))
    }
}

impl<'de> Deserialize<'de> for Parts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parts = Parts::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let raw = map.next_value::<&RawValue>()?.get();
            match name.parse::<Part>() {
                // Parsers disagree about which of two counts, so none does.
                Ok(part) if parts.values[part as usize].replace(raw).is_some() => {
                    return Err(serde::de::Error::custom("a name is repeated"));
                }
                Ok(_) => {}
                Err(_) => parts.is_more = true,
            }
        }
        Ok(parts)
    }
}
