//! `[cluster]`: rooms that span several servers, by way of Redis.

use std::path::PathBuf;

use config::ValueKind;
use url::Url;

use super::{
    kind::{Kind, ValueError, name_of_type},
    milliseconds::Milliseconds,
    section::section,
};

/// Longest URL, in bytes.
const URL_BYTES: usize = 2048;
/// Longest prefix, in bytes.
const PREFIX_BYTES: usize = 32;
const ALLOWED: &str = "redis://[USER@]HOST[:PORT][/DATABASE], the same with rediss:// for TLS, or unix:///PATH; no password \
                       (that belongs into cluster.redis_password_file); or an empty text";

section! {
    /// Rooms that span several servers (nodes), by way of a Redis that all of them reach: docs/cluster.md.
    Cluster = "cluster" {
        /// Where Redis is; empty: this server is alone, and all of its rooms are its own.
        /// `rediss://` is Redis over TLS. Redis 6.2 or later, or Valkey; one server, no Redis Cluster.
        /// The password, if there is one, is in a file: whoever may see the settings need not see it.
        redis_url: String = String::new(), Kind::Parts { check: check_url, allowed: ALLOWED };

        /// File with the password for Redis; read at each connection, so that a new one needs no restart.
        /// None by default: a Redis that only the nodes reach may do without.
        redis_password_file: PathBuf = PathBuf::new(), Kind::Text { check: file, allowed: "the path of a file, or an empty text" };

        /// File with the certificates, in PEM, that may vouch for a `rediss://` Redis.
        /// None by default: those count that this machine trusts.
        redis_ca_file: PathBuf = PathBuf::new(), Kind::Text { check: file, allowed: "the path of a file, or an empty text" };

        /// What the names of all keys and channels in Redis begin with.
        /// Its own name by default: two clusters with one Redis need two of these.
        prefix: String = "switchboard".to_owned(), Kind::Text {
            check: prefix,
            allowed: "1 to 32 letters, digits, `-`, `_`, `.` or `:`",
        };

        /// A node that Redis has not heard of for this long is dead: its peers have left. After half of it those who may resume
        /// are away. The same on all nodes of a cluster.
        /// 10 s: a process that is stopped for a moment, or a Redis that is restarted, ends nobody.
        node_timeout_ms: Milliseconds = Milliseconds(10_000), Kind::milliseconds(500).usual(2000, 120_000), exported_with_section;

        /// How long Redis may take to accept a connection, and to answer: then the connection is given up for another one, on
        /// which what had no answer is repeated. Nothing that was written fails by it.
        /// 2 s: less than the half of `cluster.node_timeout_ms` after which peers would seem away.
        redis_timeout_ms: Milliseconds = Milliseconds(2000), Kind::milliseconds(50).usual(200, 60_000), exported_with_section;

        /// How long a signal to a peer of another node, or a join, waits while Redis cannot be reached. Then its sender is told
        /// `unavailable`.
        /// 5 s: what takes longer is done again by whoever still wants it.
        waiting_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(10).usual(500, 120_000), exported_with_section;

        /// After so long without Redis `/readyz` says 503: new clients, whose joins would be refused, go elsewhere. Nobody is
        /// disconnected. Where all nodes have lost it, all say so: a balancer that then sends to none makes things no worse.
        /// 10 s: a Redis that is restarted is back by then.
        ready_grace_ms: Milliseconds = Milliseconds(10_000), Kind::milliseconds(0).usual(1000, 600_000);

        /// Bytes of signals that wait for Redis, all in all; their senders are told `unavailable` of those beyond.
        /// 16 MiB are 10 000 offers.
        waiting_bytes: usize = 16_777_216, Kind::bytes(65_536, 1 << 32), exported_with_section;

        /// Entries of a room's log that Redis keeps, for nodes that have missed some of them. The same on all nodes.
        /// 256 cover what a busy room says while a connection is made anew.
        log_entries: usize = 256, Kind::count(16, 65_536, "entries");

        /// The same in bytes, for each room. A node that has missed more has a gap: its peers resume.
        /// 1 MiB: Redis needs this much at most for a room, and for 60 s after its last word.
        log_bytes: usize = 1_048_576, Kind::bytes(65_536, 1 << 28);
    }
}

impl Cluster {
    /// Whether rooms span nodes.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.redis_url.is_empty()
    }
}

fn check_url(value: &ValueKind) -> Result<(), ValueError> {
    // Never shown: there may be a password in what is refused.
    let refuse =
        || ValueError { at: String::new(), found: name_of_type(value).to_owned(), allowed: ALLOWED.to_owned() };
    match value {
        ValueKind::String(text) if url(text) => Ok(()),
        _ => Err(refuse()),
    }
}

fn url(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    let Some(url) = Url::parse(text).ok().filter(|_| text.len() <= URL_BYTES) else { return false };
    let is_bare = url.password().is_none() && url.fragment().is_none() && url.query().is_none();
    let path = url.path();
    is_bare
        && match url.scheme() {
            "redis" | "rediss" => {
                let database = path.trim_start_matches('/');
                url.has_host() && (database.is_empty() || database.parse::<u16>().is_ok())
            }
            "unix" => !url.has_host() && url.username().is_empty() && path.len() > 1,
            _ => false,
        }
}

fn prefix(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    ((1..=PREFIX_BYTES).contains(&text.len()) && text.bytes().all(fits)).then(|| text.to_owned())
}

fn file(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_is_named_without_its_password_and_what_is_refused_is_not_shown() {
        for good in [
            "",
            "redis://localhost",
            "redis://cache.example.org:6380/3",
            "rediss://switchboard@10.0.0.1:6379",
            "unix:///run/redis/redis.sock",
        ] {
            assert!(check_url(&ValueKind::String(good.into())).is_ok(), "{good}");
        }
        for bad in [
            "redis://:s3cret@localhost",
            "redis://user:s3cret@localhost/0",
            "redis://localhost/s3cret",
            "redis://localhost/0?password=s3cret",
            "unix://s3cret/socket",
            "http://localhost:6379/#s3cret",
            "localhost:6379",
            "redis://",
        ] {
            let error = check_url(&ValueKind::String(bad.into())).expect_err(bad);
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn a_prefix_needs_no_quotes_anywhere() {
        assert_eq!(prefix("call:eu-1").as_deref(), Some("call:eu-1"));
        for bad in ["", "a b", "a{b}", "a*", "ä", &"a".repeat(33)] {
            assert_eq!(prefix(bad), None, "{bad}");
        }
    }
}
