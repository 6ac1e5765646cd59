//! `matchbox_server` 0.15: the path is the room, members are told of newcomers and offer to them.

use super::{
    Dialect, Heard, Identity, Offerer, Traits,
    scan::{between, put, string_after},
};
use crate::payload::Kind;

/// See `PeerRequest` and `PeerEvent` of the crate `matchbox_protocol`.
#[derive(Debug)]
pub(super) struct Matchbox;

impl Dialect for Matchbox {
    fn traits(&self) -> Traits {
        Traits { offerer: Offerer::Members, broadcasts: false, client_beats: true }
    }

    fn path(&self, me: &Identity) -> String {
        format!("/{}", me.room_name())
    }

    fn greet(&self, _me: &Identity, _step: usize, _out: &mut Vec<u8>) {}

    fn hear<'a>(&self, _me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Heard<'a> {
        let event = text.get(2..).unwrap_or_default();
        let heard = match event {
            e if e.starts_with(b"Signal\"") => signal(e),
            e if e.starts_with(b"IdAssigned\"") => {
                string_after(e, b"\":\"").map(|me| Heard::Joined { me: Some(me), others: None })
            }
            e if e.starts_with(b"NewPeer\"") => string_after(e, b"\":\"").map(Heard::PeerJoined),
            e if e.starts_with(b"PeerLeft\"") => Some(Heard::PeerLeft),
            _ => None,
        };
        heard.unwrap_or(Heard::Unknown)
    }

    fn signal(&self, _me: &Identity, _kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        put(out, &[br#"{"Signal":{"receiver":""#, to, br#"","data":"#, data, b"}}"]);
    }

    fn beat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#""KeepAlive""#);
    }
}

fn signal(event: &[u8]) -> Option<Heard<'_>> {
    let from = string_after(event, br#""sender":""#)?;
    Some(Heard::Signal { from, data: between(event, br#""data":"#, b"}}")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::anyone;

    #[test]
    fn each_event_is_understood() {
        let hear = |text| Matchbox.hear(&anyone(), text, &mut Vec::new());
        assert_eq!(hear(br#"{"IdAssigned":"u-1"}"#), Heard::Joined { me: Some(b"u-1"), others: None });
        assert_eq!(hear(br#"{"NewPeer":"u-2"}"#), Heard::PeerJoined(b"u-2"));
        assert_eq!(hear(br#"{"PeerLeft":"u-2"}"#), Heard::PeerLeft);
        let signal = br#"{"Signal":{"sender":"u-2","data":{"sdp":"x"}}}"#;
        assert_eq!(hear(signal), Heard::Signal { from: b"u-2", data: br#"{"sdp":"x"}"# });
        assert_eq!(hear(b""), Heard::Unknown);
    }
}
