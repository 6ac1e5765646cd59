//! A grant as it goes through a restart: what is left of a token, and never the token.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grant::{Grant, RoomRule};
use crate::{
    protocol::{Meta, Permissions},
    utc::Clocks,
};

/// A [`Grant`] for another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRecord {
    rooms: RoomRecord,
    /// The words of the wire.
    permissions: Vec<String>,
    cap: Option<usize>,
    meta: Option<String>,
    user: Option<String>,
    shows_user: bool,
    /// In milliseconds since the Unix epoch.
    ends_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RoomRecord {
    OneOf(Vec<Box<str>>),
    Prefix(Box<str>),
}

impl Grant {
    /// For another process.
    #[must_use]
    pub fn record(&self, clocks: Clocks) -> GrantRecord {
        GrantRecord {
            rooms: match &self.rooms {
                RoomRule::OneOf(names) => RoomRecord::OneOf(names.clone()),
                RoomRule::Prefix(prefix) => RoomRecord::Prefix(prefix.clone()),
            },
            permissions: self.permissions.words().map(str::to_owned).collect(),
            cap: self.cap,
            meta: self.meta.as_ref().map(|meta| meta.as_str().to_owned()),
            user: self.user.as_deref().map(str::to_owned),
            shows_user: self.shows_user,
            ends_ms: clocks.to_ms(self.ends),
        }
    }
}

impl GrantRecord {
    /// What another process has granted, until the same moment. `None`: its metadata is no object, and so it is no grant.
    #[must_use]
    pub fn restore(self, clocks: Clocks) -> Option<Grant> {
        let meta = match &self.meta {
            Some(text) => Some(Meta::parse(text)?),
            None => None,
        };
        let all = |set: Permissions, word: &String| set.and(Permissions::named(word));
        Some(Grant {
            rooms: match self.rooms {
                RoomRecord::OneOf(names) => RoomRule::OneOf(names),
                RoomRecord::Prefix(prefix) => RoomRule::Prefix(prefix),
            },
            permissions: self.permissions.iter().fold(Permissions::NONE, all),
            cap: self.cap,
            meta,
            user: self.user.map(Arc::from),
            shows_user: self.shows_user,
            ends: clocks.to_instant(self.ends_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_grant_is_the_same_after_a_restart_and_ends_when_it_would_have() {
        let clocks = Clocks::read();
        let grant = |rooms| Grant {
            rooms,
            permissions: Permissions::JOIN.and(Permissions::ADMIN),
            cap: Some(3),
            meta: Meta::parse("{\"role\":\"nurse\"}"),
            user: Some("ada".into()),
            shows_user: true,
            ends: clocks.now + Duration::from_secs(90),
        };
        for rooms in [RoomRule::OneOf(vec!["a".into(), "b".into()]), RoomRule::Prefix("ward-".into())] {
            let grant = grant(rooms);
            let text = serde_json::to_string(&grant.record(clocks)).expect("JSON");
            let read: GrantRecord = serde_json::from_str(&text).expect("as it was written");
            assert_eq!(read.restore(clocks), Some(grant));
        }
    }
}
