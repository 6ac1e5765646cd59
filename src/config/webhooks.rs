//! `[webhooks]`: who is told what happens in rooms.

use std::{net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use url::{Host, Url};

use super::{
    kind::{DAY_MS, Kind},
    milliseconds::Milliseconds,
    section::section,
};

/// Longest URL, in bytes.
const URL_BYTES: usize = 2048;

section! {
    /// Webhooks: a program of yours is told what happens in rooms, by HTTP. What it gets, and how it checks that it is from
    /// here: `docs/webhooks.md`.
    Webhooks = "webhooks" {
        /// Where events are posted to; empty: nowhere. `https`, or `http` to this machine (`localhost` or a loopback address),
        /// since events name rooms and people. No user information: the signature says who sends. It is shown in errors.
        /// One receiver: it passes on what others are to know, so that each of them has its own order and its own failures.
        url: String = String::new(), Kind::Text {
            check: url,
            allowed: "an https URL, or an http URL of this machine, without user information and fragment; or an empty text",
        };

        /// File with the secret that events are signed with: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks). A
        /// second line may have another: events carry a signature by each then, so that the receiver can change over.
        /// Needed with `webhooks.url`. Looked at every 2 s, and taken over when it has changed.
        secret_file: PathBuf = PathBuf::new(), Kind::Text { check: file, allowed: "the path of a file, or an empty text" };

        /// The events that are told.
        /// All by default; `peer_away` and `peer_back` are what one leaves out first.
        events: Vec<WebhookEvent> = WebhookEvent::VARIANTS.to_vec(), Kind::List {
            check: |text| text.parse::<WebhookEvent>().is_ok(),
            allowed: "a list of room_opened, room_closed, peer_joined, peer_left, peer_away and peer_back",
        };

        /// File with the certificates, in PEM, that may vouch for the receiver; empty: those that this machine trusts.
        /// Empty by default; a certificate authority of your own is named here.
        ca_file: PathBuf = PathBuf::new(), Kind::Text { check: file, allowed: "the path of a file, or an empty text" };

        /// Longest time for one request, from the look for the receiver's address to the end of its answer.
        /// 5 s: a receiver should write down what it got, say so, and do its work later.
        timeout_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(10);

        /// Requests at the same time, each on a thread of its own. Events of one room go one after the other all the same.
        /// 4: at 10 ms for an answer that is 400 events a second.
        parallel: usize = 4, Kind::count(1, 64, "requests");

        /// Longest body of an answer that is read.
        /// 64 KiB, since nothing in it is looked at; the status says all.
        answer_bytes: usize = 65_536, Kind::bytes(0, 1 << 20);

        /// Events that may wait, those included that are being sent. Further ones are dropped, and the receiver is told how
        /// many. 10 000: what 5 000 peers cause that come and go. One room may use an eighth of it.
        queue_events: usize = 10_000, Kind::count(1, 10_000_000, "events"), exported_with_section;

        /// The same in bytes.
        /// 8 MiB: 10 000 events with the longest names are less than that.
        queue_bytes: usize = 8 * 1024 * 1024, Kind::bytes(4096, 1 << 34), exported_with_section;

        /// The wait before the second attempt. Each further one is twice as long, up to `webhooks.retry_max_ms`; of it a
        /// random part is waited, so that what failed together does not come back together. 1 s: a hiccup is over by then.
        retry_min_ms: Milliseconds = Milliseconds(1000), Kind::milliseconds(1).usual(100, 60_000);

        /// The longest wait between two attempts, and the longest `Retry-After` that is obeyed.
        /// 60 s: a receiver that is back is found within a minute.
        retry_max_ms: Milliseconds = Milliseconds(60_000), Kind::milliseconds(1).usual(1000, DAY_MS);

        /// An event that could not be delivered this long after it happened is dropped.
        /// 10 min: a receiver that is restarted misses nothing, and one that was away for longer has to look anew anyway.
        keep_ms: Milliseconds = Milliseconds(600_000), Kind::milliseconds(1).usual(1000, DAY_MS);
    }
}

/// Something in a room that a receiver is told of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Display, EnumString, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WebhookEvent {
    /// The first peer of a room is about to join.
    RoomOpened,
    /// The last peer has left, or the room was lost.
    RoomClosed,
    /// A peer is in a room.
    PeerJoined,
    /// A peer is no longer in its room.
    PeerLeft,
    /// A peer's connection is gone, and its seat is kept.
    PeerAway,
    /// It is back, in its seat.
    PeerBack,
}

impl WebhookEvent {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Webhooks {
    /// Whether anybody is told anything.
    #[must_use]
    pub fn are_on(&self) -> bool {
        !self.url.is_empty()
    }
}

fn url(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES)?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let fits = match url.scheme() {
        "https" => true,
        "http" => is_this_machine(&url.host()?),
        _ => false,
    };
    (is_bare && fits).then(|| url.into())
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::from(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::from(*address).is_loopback(),
    }
}

fn file(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_reached_over_tls_or_is_on_this_machine() {
        for (given, kept) in [
            ("", ""),
            ("https://hooks.example.org", "https://hooks.example.org/"),
            ("https://10.0.0.1:8443/in?tenant=7", "https://10.0.0.1:8443/in?tenant=7"),
            ("http://localhost:9000/in", "http://localhost:9000/in"),
            ("http://127.4.5.6/", "http://127.4.5.6/"),
            ("http://[::1]:9000/", "http://[::1]:9000/"),
        ] {
            assert_eq!(url(given).as_deref(), Some(kept), "{given}");
        }
        let long = format!("https://a.example/{}", "x".repeat(URL_BYTES));
        for refused in [
            "http://hooks.example.org/",
            "http://10.0.0.1/",
            "http://localhost.example.org/",
            "http://[::2]/",
            "https://user:secret@hooks.example.org/",
            "https://user@hooks.example.org/",
            "https://hooks.example.org/#part",
            "ftp://localhost/",
            "file:///etc/passwd",
            "hooks.example.org",
            "https://",
            &long,
        ] {
            assert_eq!(url(refused), None, "{refused}");
        }
    }
}
