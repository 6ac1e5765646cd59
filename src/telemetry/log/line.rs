//! A record as one line of JSON, by slog-json.

use std::{cell::RefCell, io, rc::Rc, time::SystemTime};

use slog::{Drain, FnValue, OwnedKVList, PushFnValue, Record, o};

use super::{level::word, visible};
use crate::utc::Rfc3339;

/// Where slog-json writes: a buffer that is used again for every line.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A thread's formatter. `slog_json::Json` cannot be shared by threads, and a lock around it could be waited for.
struct Formatter {
    json: slog_json::Json<Shared>,
    line: Shared,
}

thread_local! {
    static FORMATTER: Formatter = Formatter::new();
}

impl Formatter {
    fn new() -> Self {
        let line = Shared::default();
        let json = slog_json::Json::new(line.clone())
            .set_newlines(true)
            // One by one: slog writes the members of one `o!` in reverse.
            .add_key_value(o!("ts" => PushFnValue(|_: &Record<'_>, out| {
                out.emit(format_args!("{}", Rfc3339(SystemTime::now())))
            })))
            .add_key_value(o!("level" => FnValue(|record: &Record<'_>| word(record.level()))))
            .add_key_value(o!("msg" => PushFnValue(|record: &Record<'_>, out| out.emit(record.msg()))))
            .add_key_value(o!("event" => PushFnValue(|record: &Record<'_>, out| out.emit(record.tag()))))
            .build();
        Self { json, line }
    }

    fn format(&self, record: &Record<'_>, values: &OwnedKVList, take: impl FnOnce(&[u8])) -> io::Result<()> {
        self.line.0.borrow_mut().clear();
        self.json.log(record, values)?;
        take(&visible::escape(&self.line.0.borrow()));
        Ok(())
    }
}

/// Gives `take` the line, with its line end: `values` stand before the record's own. Not on a thread that is being torn down.
pub(in crate::telemetry) fn format(record: &Record<'_>, values: &OwnedKVList, take: impl FnOnce(&[u8])) {
    // Writing to memory does not fail.
    let _ = FORMATTER.try_with(|formatter| formatter.format(record, values, take));
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fmt};

    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
    use serde_json::Value;
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    use super::*;
    use crate::{
        protocol::RoomName,
        telemetry::{
            event::{
                context::Context,
                fault::Fault,
                redaction::leaks,
                samples,
                table::{EVENTS, Event},
            },
            log::record,
        },
    };

    /// A JSON object that keeps what is written twice.
    struct Members(Vec<(String, Value)>);

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct All;
            impl<'de> Visitor<'de> for All {
                type Value = Members;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(All)
        }
    }

    fn write(event: &Event<'_>, line: &mut Vec<u8>) {
        let (fault, values) = (Fault::of(event), OwnedKVList::from(slog::OwnedKV(())));
        record::of(event, fault.as_ref(), |record| format(record, &values, |bytes| line.extend_from_slice(bytes)));
    }

    impl Members {
        fn of(event: &Event<'_>) -> Self {
            let mut line = Vec::new();
            write(event, &mut line);
            let text = String::from_utf8(line).expect("UTF-8");
            assert_eq!(text.find('\n'), Some(text.len() - 1), "one line, with its end");
            assert_eq!(leaks(&text), None, "{text}");
            serde_json::from_str(&text).expect("a JSON object")
        }

        fn get(&self, key: &str) -> Option<&str> {
            self.0.iter().find(|(name, _)| name == key).and_then(|(_, value)| value.as_str())
        }
    }

    #[test]
    fn every_event_is_one_object_with_the_common_keys_and_no_key_twice() {
        let mut seen = BTreeSet::new();
        samples::each(|event| {
            let line = Members::of(&event);
            let keys: BTreeSet<&str> = line.0.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(keys.len(), line.0.len(), "{}: a key is there twice", event.key());
            let first: Vec<&str> = line.0.iter().take(4).map(|(key, _)| key.as_str()).collect();
            assert_eq!(first, ["ts", "level", "msg", "event"]);
            assert_eq!(line.get("event"), Some(event.key()));
            assert_eq!(line.get("msg"), Some(event.message()));
            assert_eq!(line.get("level"), Some(word(event.level())));
            let ts = line.get("ts").expect("a time");
            assert!(ts.len() == 24 && ts.ends_with('Z') && OffsetDateTime::parse(ts, &Rfc3339).is_ok(), "{ts}");
            seen.insert(event.key());
        });
        let known: BTreeSet<&str> = EVENTS.iter().map(|event| event.key).collect();
        assert_eq!(seen, known, "a sample of each");
    }

    #[test]
    fn what_is_an_error_says_so_in_full() {
        samples::each(|event| {
            let line = Members::of(&event);
            let error = Fault::of(&event).is_some();
            for key in ["class", "code", "severity", "doing", "fingerprint"] {
                assert_eq!(line.get(key).is_some(), error, "{}: {key}", event.key());
            }
        });
    }

    #[test]
    fn a_fault_names_its_cause_and_the_session_it_concerned() {
        samples::each(|event| {
            let Event::ServerFault { context, .. } = event else { return };
            let line = Members::of(&event);
            assert_eq!(line.get("cause"), Some("after 5 s"));
            assert_eq!(line.get("class"), Some("SERVER"));
            assert_eq!(line.get("request_id"), Some("req-1"));
            assert_eq!(line.get("room"), Some("den \"1\""));
            assert_eq!(line.get("session_id").map(str::to_owned), context.session.map(|id| id.to_string()));
            assert_eq!(line.get("peer_id").map(str::to_owned), context.peer.map(|id| id.to_string()));
        });
    }

    #[test]
    fn a_rooms_name_cannot_turn_a_line_around_on_the_screen() {
        let name = "den\u{202e}\u{2066}\u{200b}\u{e0041}é";
        let room = RoomName::parse(name, 128).expect("a room");
        let event = Event::RoomOpened { context: Context::of_room(&room, None) };
        let mut line = Vec::new();
        write(&event, &mut line);
        let line = String::from_utf8(line).expect("UTF-8");
        assert!(line.contains(r"den\u202e\u2066\u200b\udb40\udc41é"), "{line}");
        assert_eq!(Members::of(&event).get("room"), Some(name));
    }

    #[test]
    fn a_foreign_error_that_quotes_sdp_is_withheld() {
        let error = io::Error::other("bad text: v=0\r\no=- 1 2 IN IP4 192.0.2.1");
        let event = Event::ShutdownRecordFailed { error: &error };
        assert_eq!(Members::of(&event).get("cause"), Some("(withheld: contains SDP)"));
    }
}
