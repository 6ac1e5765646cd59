//! The records. Times are in milliseconds since the Unix epoch: the clock that both processes share.

use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    auth::GrantRecord,
    limits::Subnet,
    protocol::{Meta, PeerId, RoomName, SecretDigest, SessionId, Who},
};

/// Longer names of rooms are no names of ours: `limits.room_name_bytes` is never more.
const ROOM_NAME_BYTES: usize = 4096;

/// All that a restart carries over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateRecord {
    /// When it was written.
    pub saved_ms: u64,
    /// The rooms with a session that can be resumed.
    pub rooms: Vec<RoomRecord>,
    /// The rooms with a lock or bans, whether anybody is in them or not.
    pub moderated: Vec<ModerationRecord>,
}

impl StateRecord {
    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.rooms.iter().map(|room| room.sessions.len()).sum()
    }
}

/// A room, and who is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomRecord {
    /// Its name.
    #[serde(with = "text")]
    pub name: RoomName,
    /// When it was opened.
    pub opened_ms: u64,
    /// Its sessions in joining order, on which politeness hangs.
    pub sessions: Vec<SessionRecord>,
}

/// A session that can be resumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionRecord {
    /// Its private name.
    #[serde(with = "text")]
    pub session: SessionId,
    /// Its public name.
    #[serde(with = "text")]
    pub peer: PeerId,
    /// Its own number of the join that brought it into the room.
    pub join_seq: u32,
    /// The request that it began with, for the log.
    pub request: String,
    /// Where its client was then, for the log.
    pub source: IpAddr,
    /// The address that its seat is counted for; `None`: the limits per address do not concern it.
    #[serde(with = "text_or_none")]
    pub subnet: Option<Subnet>,
    /// When it got its seat.
    pub since_ms: u64,
    /// Whether its client was away, and the others know that.
    pub is_away: bool,
    /// Who its client is, if it gave an identity.
    #[serde(with = "text_or_none")]
    pub who: Option<Who>,
    /// Its metadata, as the room has it.
    #[serde(with = "text_or_none")]
    pub meta: Option<Meta>,
    /// What its token grants.
    pub grant: Option<GrantRecord>,
    /// What it needs to be resumed.
    pub buffer: BufferRecord,
}

/// The resume buffer of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BufferRecord {
    /// The digest of the latest secret.
    #[serde(with = "text")]
    pub secret: SecretDigest,
    /// The one before it, while its client may not have the latest.
    pub former: Option<FormerRecord>,
    /// Whether its client has shown that it has a token.
    pub is_confirmed: bool,
    /// Both counts.
    pub counts: CountsRecord,
    /// Whether something was lost, so that no resume can be complete.
    pub has_gap: bool,
    /// The frames that its client has not acknowledged, the latest `counts.sent` last. They stand apart from the rest.
    #[serde(skip)]
    pub frames: Vec<Bytes>,
}

/// A secret that is good until the client proves that the one after it has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerRecord {
    /// Its digest.
    #[serde(with = "text")]
    pub secret: SecretDigest,
    /// The counts that it goes with, where the numbering has begun anew since.
    pub frozen: Option<CountsRecord>,
}

/// The counts of one numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountsRecord {
    /// Frames to the client.
    pub sent: u64,
    /// Those of them that it has acknowledged.
    pub acked: u64,
    /// Frames from the client.
    pub handled: u64,
}

/// The lock and the bans of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModerationRecord {
    /// The room.
    #[serde(with = "text")]
    pub room: RoomName,
    /// Until when it is locked, should nobody come back to it; `None`: it is not.
    pub locked_until_ms: Option<u64>,
    /// Oldest first.
    pub bans: Vec<BanRecord>,
}

/// One ban.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BanRecord {
    /// Its name, for whoever lifts it.
    pub id: u64,
    /// The person.
    #[serde(with = "text_or_none")]
    pub who: Option<Who>,
    /// The user.
    pub user: Option<String>,
    /// The address.
    #[serde(with = "text_or_none")]
    pub subnet: Option<Subnet>,
    /// When it is over.
    pub until_ms: u64,
}

/// What is one text in the file.
trait Text: Sized {
    fn write(&self) -> String;

    fn read(text: &str) -> Option<Self>;
}

macro_rules! hex_texts {
    ($($type:ty),+) => {
        $(impl Text for $type {
            fn write(&self) -> String {
                self.encode(&mut [0; Self::TEXT_BYTES]).to_owned()
            }

            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        })+
    };
}

hex_texts!(SessionId, PeerId, Who, SecretDigest);

impl Text for RoomName {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        Self::parse(text, ROOM_NAME_BYTES).ok()
    }
}

impl Text for Meta {
    fn write(&self) -> String {
        self.as_str().to_owned()
    }

    fn read(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Text for Subnet {
    fn write(&self) -> String {
        self.address().to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok().map(Self::of)
    }
}

/// A [`Text`] as serde has it.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::store::record::Text;

    pub(super) fn serialize<T: Text, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.write())
    }

    pub(super) fn deserialize<'a, T: Text, D: Deserializer<'a>>(from: D) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        T::read(&text).ok_or_else(|| D::Error::custom("a text that stands for nothing"))
    }
}

/// The same, or none.
mod text_or_none {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use crate::store::record::Text;

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(super) fn serialize<T: Text, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Text::write).serialize(to)
    }

    pub(super) fn deserialize<'a, T: Text, D: Deserializer<'a>>(from: D) -> Result<Option<T>, D::Error> {
        let read = |text: String| T::read(&text).ok_or_else(|| D::Error::custom("a text that stands for nothing"));
        Option::<String>::deserialize(from)?.map(read).transpose()
    }
}
