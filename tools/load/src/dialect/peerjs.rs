//! `PeerServer` (npm `peer`): no rooms; a peer chooses its name and must know the others' from elsewhere.

use super::{
    Dialect, Heard, Identity, Offerer, Traits,
    scan::{between, put, string_after},
};
use crate::payload::Kind;

/// See `MessageType` and `Client` of the package `peer`.
#[derive(Debug)]
pub(super) struct PeerJs;

impl Dialect for PeerJs {
    fn traits(&self) -> Traits {
        Traits { offerer: Offerer::Newcomer, broadcasts: false, client_beats: true }
    }

    fn path(&self, me: &Identity) -> String {
        format!("/peerjs?key=peerjs&id={}&token=load&version=1.5.5", me.chosen_name())
    }

    fn greet(&self, _me: &Identity, _step: usize, _out: &mut Vec<u8>) {}

    fn hear<'a>(&self, _me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Heard<'a> {
        match string_after(text, br#"{"type":""#) {
            Some(b"OFFER" | b"ANSWER" | b"CANDIDATE") => signal(text).unwrap_or(Heard::Unknown),
            Some(b"OPEN") => Heard::Joined { me: None, others: None },
            Some(b"LEAVE") => Heard::PeerLeft,
            Some(b"ERROR" | b"EXPIRE" | b"ID-TAKEN") => Heard::Refused,
            _ => Heard::Unknown,
        }
    }

    fn signal(&self, _me: &Identity, kind: Kind, to: &[u8], data: &[u8], out: &mut Vec<u8>) {
        let kind: &[u8] = match kind {
            Kind::Offer => b"OFFER",
            Kind::Answer => b"ANSWER",
            Kind::Candidate => b"CANDIDATE",
        };
        // The order of the client library: type, payload, dst.
        put(out, &[br#"{"type":""#, kind, br#"","payload":"#, data, br#","dst":""#, to, b"\"}"]);
    }

    fn beat(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"HEARTBEAT"}"#);
    }
}

/// `{"type":…,"payload":DATA,"dst":…,"src":…}`: the server appends `src`.
fn signal(text: &[u8]) -> Option<Heard<'_>> {
    let data = between(text, br#""payload":"#, br#","dst":""#).or_else(|| between(text, br#""payload":"#, b"}"))?;
    Some(Heard::Signal { from: string_after(text, br#""src":""#)?, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::anyone;

    #[test]
    fn each_message_is_understood_in_either_order_of_fields() {
        let hear = |text| PeerJs.hear(&anyone(), text, &mut Vec::new());
        assert_eq!(hear(br#"{"type":"OPEN"}"#), Heard::Joined { me: None, others: None });
        let forwarded = br#"{"type":"OFFER","payload":{"sdp":1},"dst":"a","src":"b"}"#;
        assert_eq!(hear(forwarded), Heard::Signal { from: b"b", data: br#"{"sdp":1}"# });
        let rebuilt = br#"{"type":"OFFER","src":"b","dst":"a","payload":{"sdp":1}}"#;
        assert_eq!(hear(rebuilt), Heard::Signal { from: b"b", data: br#"{"sdp":1}"# });
        assert_eq!(hear(br#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#), Heard::Refused);
        assert_eq!(hear(br#"{"type":"EXPIRE","src":"b","dst":"a"}"#), Heard::Refused);
    }
}
