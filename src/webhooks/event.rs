//! What the receiver is told.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use serde::Serialize;

use crate::{
    config::WebhookEvent,
    protocol::{LeaveReason, PeerId, RoomName, Who},
    utc::Rfc3339,
};

/// What an event costs besides its room's name and its user, in bytes: itself, its place in the queue, and what the allocator adds.
const OVERHEAD: usize = 320;

/// Whoever an event is about.
#[derive(Debug, Clone)]
pub struct Person {
    /// Its name in the room.
    pub peer: PeerId,
    /// Who it is there, if it gave an identity.
    pub who: Option<Who>,
    /// Who its token says that it is, if it has one that says so.
    pub user: Option<Arc<str>>,
}

/// Why a room is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomEnd {
    /// Its last peer has left.
    Empty,
    /// It died under its peers.
    Lost,
}

impl RoomEnd {
    fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Lost => "lost",
        }
    }
}

/// Something that happened in a room.
#[derive(Debug, Clone)]
pub(super) struct RoomEvent {
    /// The number of this event, of all that this process has told or dropped; the first is 1.
    pub(super) sequence: u64,
    pub(super) event: WebhookEvent,
    pub(super) room: RoomName,
    pub(super) person: Option<Person>,
    pub(super) reason: Option<&'static str>,
    /// When it happened, for the receiver.
    pub(super) at: SystemTime,
    /// The same, by a clock that nobody sets.
    pub(super) since: Instant,
}

/// What can happen.
#[derive(Debug)]
pub(super) enum Happening {
    RoomOpened,
    RoomClosed(RoomEnd),
    PeerJoined(Person),
    PeerLeft(Person, LeaveReason),
    PeerAway(Person),
    PeerBack(Person),
}

impl Happening {
    /// Its name, who it is about, and the reason.
    pub(super) fn parts(self) -> (WebhookEvent, Option<Person>, Option<&'static str>) {
        match self {
            Self::RoomOpened => (WebhookEvent::RoomOpened, None, None),
            Self::RoomClosed(end) => (WebhookEvent::RoomClosed, None, Some(end.as_str())),
            Self::PeerJoined(person) => (WebhookEvent::PeerJoined, Some(person), None),
            Self::PeerLeft(person, reason) => (WebhookEvent::PeerLeft, Some(person), Some(reason.as_str())),
            Self::PeerAway(person) => (WebhookEvent::PeerAway, Some(person), None),
            Self::PeerBack(person) => (WebhookEvent::PeerBack, Some(person), None),
        }
    }

    pub(super) fn event(&self) -> WebhookEvent {
        match self {
            Self::RoomOpened => WebhookEvent::RoomOpened,
            Self::RoomClosed(_) => WebhookEvent::RoomClosed,
            Self::PeerJoined(_) => WebhookEvent::PeerJoined,
            Self::PeerLeft(..) => WebhookEvent::PeerLeft,
            Self::PeerAway(_) => WebhookEvent::PeerAway,
            Self::PeerBack(_) => WebhookEvent::PeerBack,
        }
    }
}

/// The body of a request. The order is that of the document.
#[derive(Debug, Serialize)]
struct Body<'a> {
    event: WebhookEvent,
    room: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    node: &'a str,
    sequence: u64,
    time: String,
    dropped: u64,
}

impl RoomEvent {
    /// What it takes up in the queue, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let user = self.person.as_ref().and_then(|person| person.user.as_ref());
        OVERHEAD + self.room.as_str().len() + user.map_or(0, |user| user.len())
    }

    /// The JSON that is sent. `dropped`: events of this process that the receiver has not got, and will not.
    pub(super) fn body(&self, node: &str, dropped: u64) -> String {
        let mut digits = ([0; PeerId::TEXT_BYTES], [0; Who::TEXT_BYTES]);
        let person = self.person.as_ref();
        let body = Body {
            event: self.event,
            room: self.room.as_str(),
            peer: person.map(|person| person.peer.encode(&mut digits.0)),
            who: person.and_then(|person| person.who).map(|who| who.encode(&mut digits.1)),
            user: person.and_then(|person| person.user.as_deref()),
            reason: self.reason,
            node,
            sequence: self.sequence,
            time: Rfc3339(self.at).to_string(),
            dropped,
        };
        serde_json::to_string(&body).expect("texts and numbers are JSON")
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;

    /// An event of that room and number, as it would be told.
    pub(in crate::webhooks) fn sample(room: &str, sequence: u64, since: Instant) -> RoomEvent {
        RoomEvent {
            sequence,
            event: WebhookEvent::RoomOpened,
            room: RoomName::parse(room, 128).expect("a room"),
            person: None,
            reason: None,
            at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_772_280_000_007),
            since,
        }
    }

    /// One of each, as the documentation shows them.
    fn samples() -> Vec<(&'static str, RoomEvent)> {
        let room = RoomName::parse("team-standup", 128).expect("a room");
        let peer = PeerId::parse("0f4b8a1c9d2e4f6a8b7c6d5e4f3a2b1c").expect("an id");
        let who = Some(Who::of("correct-horse-battery-staple-417", &room));
        let person = || Person { peer, who, user: Some("ada@example.org".into()) };
        let happenings = [
            Happening::RoomOpened,
            Happening::PeerJoined(person()),
            Happening::PeerAway(person()),
            Happening::PeerBack(person()),
            Happening::PeerLeft(person(), LeaveReason::Left),
            Happening::RoomClosed(RoomEnd::Empty),
        ];
        let numbered = happenings.into_iter().zip(1..);
        numbered
            .map(|(happening, sequence)| {
                let (event, person, reason) = happening.parts();
                let sample = sample("team-standup", sequence, Instant::now());
                (event.as_str(), RoomEvent { event, person, reason, ..sample })
            })
            .collect()
    }

    #[test]
    fn every_event_is_sent_as_the_fixtures_and_the_document_have_it() {
        let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/webhooks.md")).expect("docs");
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/webhooks");
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for (name, event) in samples() {
            let body = event.body("a", 0);
            let fixture = std::fs::read_to_string(format!("{folder}/{name}.json")).expect("a fixture for each");
            assert_eq!(body, fixture.trim_end(), "tests/fixtures/webhooks/{name}.json");
            let value: serde_json::Map<_, _> = serde_json::from_str(&body).expect("JSON");
            keys.extend(value.into_iter().map(|(key, _)| key));
            names.insert(name.to_owned());
            assert!(document.contains(&format!("| `{name}` |")), "docs/webhooks.md says when there is {name}");
        }
        let all: BTreeSet<_> =
            <WebhookEvent as strum::VariantArray>::VARIANTS.iter().map(|event| event.as_str().to_owned()).collect();
        assert_eq!(names, all, "a sample of each");
        let (_, fields) = document.split_once("\n## The fields\n").expect("a section on them");
        let rows =
            fields.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
        let documented: BTreeSet<_> = rows.filter_map(|row| Some(row.split('`').nth(1)?.to_owned())).collect();
        assert_eq!(documented, keys, "docs/webhooks.md, The fields");
        assert!(document.contains(samples()[1].1.body("a", 0).as_str()), "the document shows a peer_joined");
    }

    #[test]
    fn what_it_takes_up_has_its_texts_and_no_less_than_it_is() {
        let event = &samples()[1].1;
        assert_eq!(event.bytes(), OVERHEAD + "team-standup".len() + "ada@example.org".len());
        assert!(OVERHEAD > size_of::<RoomEvent>() + 64, "{}", size_of::<RoomEvent>());
    }
}
