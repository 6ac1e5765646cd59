//! What the floor says: Switchboard's frames, octet for octet as long as with `tools/compare/switchboard.toml`.

use crate::wire::handshake;

/// Octets of an id: 32 hexadecimal digits, the last eight of which are the token.
pub(super) const ID: usize = 32;

/// A peer's id.
pub(super) fn peer_id(who: u32) -> [u8; ID] {
    let mut id = *b"f1000000000040008000000000000000";
    for (i, digit) in id[24..].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(who >> (28 - 4 * i) & 15) as usize];
    }
    id
}

/// The token in an id.
pub(super) fn token_of(id: &[u8]) -> u32 {
    id[24..].iter().fold(0, |n, d| {
        let value = if *d <= b'9' { d.wrapping_sub(b'0') } else { d.wrapping_sub(b'a' - 10) };
        (n << 4) | u32::from(value)
    })
}

/// The room's name in a join.
pub(super) fn room_of(text: &[u8]) -> &[u8] {
    let name = text.get(br#"{"type":"join","room":""#.len()..).unwrap_or_default();
    &name[..memchr::memchr(b'"', name).unwrap_or(name.len())]
}

/// The answer to an upgrade.
pub(super) fn switching(nonce: &[u8]) -> Vec<u8> {
    let accept = handshake::accept(nonce);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\nx-request-id: 00000000-0000-4000-8000-000000000000\r\n\
         sec-websocket-protocol: switchboard.v1\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
    )
    .into_bytes()
}

/// The first frame of each connection.
pub(super) fn welcome(who: u32) -> String {
    let session = text(peer_id(who));
    format!(
        r#"{{"type":"welcome","session":"{session}","version":"0.1.0","node":"bench","features":[],"limits":{{"frameBytes":65536,"queueBytes":262144,"queueFrames":256,"metaBytes":1024,"roomNameBytes":128,"peersPerRoom":64,"recipients":64,"jsonDepth":32,"joinTimeoutMs":10000}},"heartbeat":{{"intervalMs":30000,"timeoutMs":60000}}}}"#
    )
}

/// The reply to a join.
pub(super) fn joined(who: u32, room: &[u8], others: &[u32]) -> String {
    let room = String::from_utf8_lossy(room);
    let peers: Vec<String> =
        others.iter().map(|o| format!(r#"{{"id":"{}","polite":true}}"#, text(peer_id(*o)))).collect();
    format!(
        r#"{{"type":"joined","self":{{"id":"{}"}},"room":"{room}","peers":[{}],"capacity":64,"iceServers":[]}}"#,
        text(peer_id(who)),
        peers.join(",")
    )
}

/// News of a newcomer.
pub(super) fn peer_joined(who: u32) -> String {
    format!(r#"{{"type":"peer_joined","id":"{}","polite":false}}"#, text(peer_id(who)))
}

/// News of a departure.
pub(super) fn peer_left(who: u32, reason: &str) -> String {
    format!(r#"{{"type":"peer_left","id":"{}","reason":"{reason}"}}"#, text(peer_id(who)))
}

fn text(id: [u8; ID]) -> String {
    String::from_utf8_lossy(&id).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_switchboards_form_and_give_back_their_token() {
        for who in [0, 1, 9, 10, 0xabcd_ef01, u32::MAX] {
            let id = text(peer_id(who));
            assert!(switchboard::protocol::PeerId::parse(&id).is_some(), "{id}");
            assert_eq!(token_of(id.as_bytes()), who);
        }
    }

    #[test]
    fn all_texts_are_json() {
        let texts = [welcome(1), joined(3, b"r", &[1, 2]), peer_joined(1), peer_left(1, "left")];
        for text in texts {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(value["type"].is_string());
        }
        assert_eq!(room_of(br#"{"type":"join","room":"abc"}"#), b"abc");
    }
}
