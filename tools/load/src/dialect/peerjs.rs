//! `PeerServer` (npm `peer`): no rooms; a peer chooses its name and must know the others' from elsewhere.

use super::{
    Dialect, Identity, Offerer, Received, Traits,
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

    fn receive<'a>(&self, _me: &Identity, text: &'a [u8], _out: &mut Vec<u8>) -> Received<'a> {
        match string_after(text, br#"{"type":""#) {
            Some(b"OFFER" | b"ANSWER" | b"CANDIDATE") => signal(text).unwrap_or(Received::Unknown),
            Some(b"OPEN") => Received::Joined { me: None, others: None },
            Some(b"LEAVE") => Received::PeerLeft,
            Some(b"ERROR" | b"EXPIRE" | b"ID-TAKEN") => Received::Refused,
            _ => Received::Unknown,
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
fn signal(text: &[u8]) -> Option<Received<'_>> {
    let data = between(text, br#""payload":"#, br#","dst":""#).or_else(|| between(text, br#""payload":"#, b"}"))?;
    Some(Received::Signal { from: string_after(text, br#""src":""#)?, data })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::anyone;

    #[test]
    fn each_message_is_understood_in_either_order_of_fields() {
        let receive = |text| PeerJs.receive(&anyone(), text, &mut Vec::new());
        assert_eq!(receive(br#"{"type":"OPEN"}"#), Received::Joined { me: None, others: None });
        let forwarded = br#"{"type":"OFFER","payload":{"sdp":1},"dst":"a","src":"b"}"#;
        assert_eq!(receive(forwarded), Received::Signal { from: b"b", data: br#"{"sdp":1}"# });
        let rebuilt = br#"{"type":"OFFER","src":"b","dst":"a","payload":{"sdp":1}}"#;
        assert_eq!(receive(rebuilt), Received::Signal { from: b"b", data: br#"{"sdp":1}"# });
        assert_eq!(receive(br#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#), Received::Refused);
        assert_eq!(receive(br#"{"type":"EXPIRE","src":"b","dst":"a"}"#), Received::Refused);
    }
}
