//! `matchbox_server` 0.15: the path is the room, members are told of newcomers and offer to them.

use super::{
    Dialect, Identity, Offerer, Received, Traits,
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

    fn receive<'a>(&self, _me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Received<'a> {
        let event = text.get(2..).unwrap_or_default();
        let received = match event {
            e if e.starts_with(b"Signal\"") => signal(e),
            e if e.starts_with(b"IdAssigned\"") => {
                string_after(e, b"\":\"").map(|me| Received::Joined { me: Some(me), others: None })
            }
            e if e.starts_with(b"NewPeer\"") => string_after(e, b"\":\"").map(Received::PeerJoined),
            e if e.starts_with(b"PeerLeft\"") => Some(Received::PeerLeft),
            _ => None,
        };
        received.unwrap_or(Received::Unknown)
    }

    fn signal(&self, _me: &Identity, _kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        put(out, &[br#"{"Signal":{"receiver":""#, to, br#"","data":"#, data, b"}}"]);
    }

    fn beat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#""KeepAlive""#);
    }
}

fn signal(event: &[u8]) -> Option<Received<'_>> {
    let from = string_after(event, br#""sender":""#)?;
    Some(Received::Signal { from, data: between(event, br#""data":"#, b"}}")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::anyone;

    #[test]
    fn each_event_is_understood() {
        let receive = |text| Matchbox.receive(&anyone(), text, &mut Vec::new());
        assert_eq!(receive(br#"{"IdAssigned":"u-1"}"#), Received::Joined { me: Some(b"u-1"), others: None });
        assert_eq!(receive(br#"{"NewPeer":"u-2"}"#), Received::PeerJoined(b"u-2"));
        assert_eq!(receive(br#"{"PeerLeft":"u-2"}"#), Received::PeerLeft);
        let signal = br#"{"Signal":{"sender":"u-2","data":{"sdp":"x"}}}"#;
        assert_eq!(receive(signal), Received::Signal { from: b"u-2", data: br#"{"sdp":"x"}"# });
        assert_eq!(receive(b""), Received::Unknown);
    }
}
