//! The protocols of the servers under test: how a peer gets in, what it sends, what it receives.
//!
//! A dialect is stateless; what it needs to know of a peer comes in [`Identity`].

use std::fmt;

use crate::payload::Kind;

mod matchbox;
mod peerjs;
mod scan;
mod socketio;
mod switchboard;
mod ywebrtc;

/// Bytes of the longest name (a UUID has 36).
const NAME: usize = 39;

/// A peer's name on the wire, kept inline: there are tens of thousands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    length: u8,
    text: [u8; NAME],
}

impl Name {
    /// No name yet.
    pub const NONE: Self = Self { length: 0, text: [0; NAME] };

    /// Keeps a name; `None` when it is empty or longer than any server's here.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut name = Self::NONE;
        name.text.get_mut(..text.len())?.copy_from_slice(text);
        name.length = text.len() as u8;
        (!text.is_empty()).then_some(name)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({:?})", String::from_utf8_lossy(self.as_bytes()))
    }
}

/// Where a peer sits, and what it is called.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    /// Differs from run to run, so that rooms of two runs against one server never mix.
    pub run: u32,
    /// The peer's index in the generator.
    pub index: u32,
    /// How often this index was opened: a new socket is a new peer.
    pub generation: u32,
    /// The room's index.
    pub room: u32,
    /// What the server, or the dialect, calls it.
    pub name: Name,
}

impl Identity {
    /// The room's name.
    #[must_use]
    pub fn room_name(&self) -> String {
        format!("load-{:08x}-{}", self.run, self.room)
    }

    /// A name for servers where the client chooses it.
    #[must_use]
    pub fn chosen_name(&self) -> String {
        format!("p{:08x}-{}-{}", self.run, self.index, self.generation)
    }
}

/// What a text from the server means.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// We are in; `others` peers were there before us, where the server tells.
    Joined {
        /// Our name, where the server gives it.
        me: Option<&'a [u8]>,
        /// How many others it listed.
        others: Option<u32>,
    },
    /// Somebody came.
    PeerJoined(&'a [u8]),
    /// Somebody left.
    PeerLeft,
    /// A signal, for us.
    Signal {
        /// The sender's name.
        from: &'a [u8],
        /// Its JSON.
        data: &'a [u8],
    },
    /// The server refused something.
    Refused,
    /// Nothing that matters to a scenario (or a step of the way in, answered by the dialect).
    Nothing,
    /// No text of this dialect.
    Unknown,
}

/// Who starts a negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offerer {
    /// The newcomer: it is told who is there, or knows from elsewhere.
    Newcomer,
    /// Those already there: they are told of the newcomer, and it is not told of them.
    Members,
}

/// What differs between servers beyond the text.
#[derive(Debug, Clone, Copy)]
pub struct Traits {
    /// Which side offers when somebody joins.
    pub offerer: Offerer,
    /// The server can send one message to a whole room; otherwise the peer sends one to each.
    pub broadcasts: bool,
    /// The client must send something now and then (the rest is up to the server's own pings).
    pub client_beats: bool,
}

/// One server's protocol. Everything appended to `out` is the text of exactly one message.
pub trait Dialect: fmt::Debug {
    /// How it differs.
    fn traits(&self) -> Traits;
    /// The path to upgrade at.
    fn path(&self, me: &Identity) -> String;
    /// The subprotocol to offer.
    fn protocol(&self) -> Option<&'static str> {
        None
    }
    /// What to send once the socket is open; called with 0, 1, … until it appends nothing.
    fn greet(&self, me: &Identity, step: usize, out: &mut Vec<u8>);
    /// Understands one text. What it appends to `out`, if anything, is sent at once.
    fn receive<'a>(&self, me: &Identity, text: &'a [u8], out: &mut Vec<u8>) -> Received<'a>;
    /// Sends `data` to the peer called `to`.
    fn signal(&self, me: &Identity, kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>);
    /// Sends `data` to everybody else in the room; only where [`Traits::broadcasts`].
    fn broadcast(&self, _me: &Identity, _kind: Kind, _data: &[u8], _out: &mut Vec<u8>) {}
    /// Says goodbye before the close frame, where there is a word for it.
    fn leave(&self, _out: &mut Vec<u8>) {}
    /// Acknowledges the first `handled` counted frames, on the wire that counts them.
    fn acknowledge(&self, _handled: u32, _out: &mut Vec<u8>) {}
    /// The client's heartbeat; only where [`Traits::client_beats`].
    fn beat(&self, _out: &mut Vec<u8>) {}
}

/// The protocols this tool speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// Switchboard, version 1 (the baseline speaks it too).
    Switchboard,
    /// The same, by clients that could come back.
    SwitchboardResumable,
    /// The same, by clients that do not name their room in the handshake: the server cannot place them.
    SwitchboardUnplaced,
    /// `matchbox_server`.
    Matchbox,
    /// `PeerServer`, of the npm package `peer`.
    Peerjs,
    /// The relay in `tools/compare/servers/socketio.js`.
    Socketio,
    /// `y-webrtc`'s signaling server.
    Ywebrtc,
    /// The relay in `tools/compare/servers/ws.js`: Switchboard's frames without its `welcome`.
    Ws,
}

impl Protocol {
    /// The dialect of this protocol.
    #[must_use]
    pub fn dialect(self) -> Box<dyn Dialect> {
        match self {
            Self::Switchboard => Box::new(switchboard::PLAIN),
            Self::SwitchboardResumable => Box::new(switchboard::RESUMABLE),
            Self::SwitchboardUnplaced => Box::new(switchboard::UNPLACED),
            Self::Ws => Box::new(switchboard::PlainWs),
            Self::Matchbox => Box::new(matchbox::Matchbox),
            Self::Peerjs => Box::new(peerjs::PeerJs),
            Self::Socketio => Box::new(socketio::SocketIo),
            Self::Ywebrtc => Box::new(ywebrtc::YWebrtc),
        }
    }
}

#[cfg(test)]
pub(crate) fn anyone() -> Identity {
    Identity { run: 1, index: 2, generation: 0, room: 3, name: Name::new(b"me").unwrap_or(Name::NONE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_a_uuid_and_refuse_nonsense() {
        let uuid = b"123e4567-e89b-12d3-a456-426614174000";
        assert_eq!(Name::new(uuid).unwrap().as_bytes(), uuid);
        assert_eq!(Name::new(b""), None);
        assert_eq!(Name::new(&[b'x'; NAME + 1]), None);
    }

    #[test]
    fn every_dialect_makes_json_of_its_messages() {
        let protocols = [
            Protocol::Switchboard,
            Protocol::Matchbox,
            Protocol::Peerjs,
            Protocol::Socketio,
            Protocol::Ywebrtc,
            Protocol::Ws,
        ];
        for dialect in protocols.map(Protocol::dialect) {
            let mut out = Vec::new();
            dialect.signal(&anyone(), Kind::Offer, b"you", b"{\"sdp\":1}", &mut out);
            // Engine.IO puts its packet type before the JSON.
            let start = out.iter().position(|o| *o == b'{' || *o == b'[').unwrap();
            let value: serde_json::Value = serde_json::from_slice(&out[start..]).unwrap();
            assert!(value.to_string().contains("{\"sdp\":1}"), "{dialect:?}: {value}");
        }
    }
}
