//! Values that are fine alone and impossible together.

use std::collections::BTreeMap;

use super::{
    auth::{AuthMode, TOKEN_BYTES, USER_BYTES},
    error::ConfigError,
    pairs,
    settings::Settings,
};

/// What a peer costs in `joined` besides its `meta` and `user`: `{"id":"…","who":"…","meta":,"polite":false,` with 32 digits
/// each, and `"away":{"until":…}},` with 13.
const PEER_OVERHEAD: usize = 144;
/// What its `user` costs there, where it is shown: `"user":"",`, and six bytes for one that JSON has to escape.
const USER: usize = 10 + 6 * USER_BYTES;
/// What `join` costs besides `room`, `meta` and `token`: names of fields, `attempt`, an `id` of 64 bytes, and an `identity` of 128.
const JOIN_OVERHEAD: usize = 400;
/// What its `token` costs, where there are keys for it: `"token":"",`.
const TOKEN: usize = 11 + TOKEN_BYTES;

/// Where each key came from that is not at its default.
pub(super) type Origins = BTreeMap<String, String>;

/// Checks every rule.
pub(super) fn check(settings: &Settings, origins: &Origins) -> Result<(), ConfigError> {
    let rules = [
        ports,
        drain,
        handover,
        one_kind_of_restart,
        node_name,
        node_timeout,
        heartbeat,
        watchdog,
        longest_join,
        longest_relay,
        longest_joined,
        token_keys,
        ops_token,
        webhook_secret,
        webhook_waits,
    ];
    match rules.into_iter().find_map(|rule| rule(settings)) {
        Some(broken) => Err(broken.into_error(origins)),
        None => pairs::check(settings, origins),
    }
}

/// A rule that does not hold.
struct Broken {
    /// The keys in it, with their values.
    keys: Vec<(&'static str, u64)>,
    /// What it asks for.
    allowed: String,
}

impl Broken {
    fn into_error(self, origins: &Origins) -> ConfigError {
        let found = self.keys.iter().map(|(key, value)| {
            let origin = origins.get(*key).map_or("default", String::as_str);
            format!("{key} = {value} ({origin})")
        });
        let found = found.collect::<Vec<_>>().join(", ");
        ConfigError::Conflict { keys: self.keys.iter().map(|(key, _)| *key).collect(), found, allowed: self.allowed }
    }
}

fn ports(settings: &Settings) -> Option<Broken> {
    let (public, ops) = (settings.server.port, settings.ops.port);
    (public == ops && public != 0).then(|| Broken {
        keys: vec![("server.port", public.into()), ("ops.port", ops.into())],
        allowed: "two different ports, or 0".to_owned(),
    })
}

fn drain(settings: &Settings) -> Option<Broken> {
    let (drain, deadline) = (settings.server.drain_ms.0, settings.server.drain_deadline_ms.0);
    (drain >= deadline).then(|| Broken {
        keys: vec![("server.drain_ms", drain), ("server.drain_deadline_ms", deadline)],
        allowed: "server.drain_ms below server.drain_deadline_ms".to_owned(),
    })
}

/// Otherwise there would be nowhere to leave them.
fn handover(settings: &Settings) -> Option<Broken> {
    (settings.server.handover && !settings.state.has_dir()).then(|| Broken {
        keys: vec![("server.handover", 1), ("state.dir", 0)],
        allowed: "a folder in state.dir, where server.handover leaves the sessions".to_owned(),
    })
}

/// A handover leaves the sessions on this machine, while the other nodes count them as gone.
fn one_kind_of_restart(settings: &Settings) -> Option<Broken> {
    (settings.server.handover && settings.cluster.is_on()).then(|| Broken {
        keys: vec![("server.handover", 1), ("cluster.redis_url", 1)],
        allowed: "server.handover = false with cluster.redis_url: sessions are handed over on one machine only"
            .to_owned(),
    })
}

/// Otherwise the others could not tell whose a peer is.
fn node_name(settings: &Settings) -> Option<Broken> {
    (settings.cluster.is_on() && settings.server.node.is_empty()).then(|| Broken {
        keys: vec![("server.node", 0), ("cluster.redis_url", 1)],
        allowed: "a name in server.node, which no other node of the cluster has".to_owned(),
    })
}

/// Otherwise one slow answer would make peers seem away.
fn node_timeout(settings: &Settings) -> Option<Broken> {
    let (answer, node) = (settings.cluster.redis_timeout_ms.0, settings.cluster.node_timeout_ms.0);
    (settings.cluster.is_on() && 2 * answer > node).then(|| Broken {
        keys: vec![("cluster.redis_timeout_ms", answer), ("cluster.node_timeout_ms", node)],
        allowed: "cluster.redis_timeout_ms of at most half of cluster.node_timeout_ms".to_owned(),
    })
}

/// Otherwise every silent peer would be gone before its first ping.
fn heartbeat(settings: &Settings) -> Option<Broken> {
    let (interval, timeout) = (settings.heartbeat.interval_ms.0, settings.heartbeat.connection_timeout_ms.0);
    (interval >= timeout).then(|| Broken {
        keys: vec![("heartbeat.interval_ms", interval), ("heartbeat.connection_timeout_ms", timeout)],
        allowed: "heartbeat.interval_ms below heartbeat.connection_timeout_ms".to_owned(),
    })
}

/// Otherwise the process would end before anybody was told that something is wrong.
fn watchdog(settings: &Settings) -> Option<Broken> {
    let (silent, exit) = (settings.watchdog.silent_ms.0, settings.watchdog.exit_ms.0);
    (silent >= exit).then(|| Broken {
        keys: vec![("watchdog.silent_ms", silent), ("watchdog.exit_ms", exit)],
        allowed: "watchdog.silent_ms below watchdog.exit_ms".to_owned(),
    })
}

/// Otherwise a `room` and `meta` that are allowed could not be sent.
fn longest_join(settings: &Settings) -> Option<Broken> {
    let limits = &settings.limits;
    let (token, and_token) = if settings.auth.has_keys() { (TOKEN, " + token") } else { (0, "") };
    let longest = limits.room_name_bytes + limits.meta_bytes + JOIN_OVERHEAD + token;
    (longest > limits.frame_bytes).then(|| Broken {
        keys: vec![
            ("limits.room_name_bytes", limits.room_name_bytes as u64),
            ("limits.meta_bytes", limits.meta_bytes as u64),
            ("limits.frame_bytes", limits.frame_bytes as u64),
        ],
        allowed: format!(
            "limits.frame_bytes of at least {longest}, since a join must fit: room name + meta{and_token} + {JOIN_OVERHEAD}"
        ),
    })
}

/// Otherwise one message that is allowed could end a reader that is hardly late.
fn longest_relay(settings: &Settings) -> Option<Broken> {
    let limits = &settings.limits;
    let most = limits.queue_bytes / 2;
    (limits.frame_bytes > most).then(|| Broken {
        keys: vec![
            ("limits.frame_bytes", limits.frame_bytes as u64),
            ("limits.queue_bytes", limits.queue_bytes as u64),
        ],
        allowed: format!("limits.frame_bytes of at most {most}, half of what may wait for a reader"),
    })
}

/// Otherwise a newcomer to a full room could be cut for the very frame that lets it in.
fn longest_joined(settings: &Settings) -> Option<Broken> {
    let limits = &settings.limits;
    let overhead = PEER_OVERHEAD + if settings.auth.show_user { USER } else { 0 };
    let longest = limits.peers_per_room * (limits.meta_bytes + overhead);
    let most = limits.queue_bytes / 2;
    (longest > most).then(|| Broken {
        keys: vec![
            ("limits.peers_per_room", limits.peers_per_room as u64),
            ("limits.meta_bytes", limits.meta_bytes as u64),
            ("limits.queue_bytes", limits.queue_bytes as u64),
        ],
        allowed: format!(
            "a joined frame, peers_per_room × (meta_bytes + {overhead}), of at most {most} bytes, half of what \
             may wait for a reader; this one may have {longest}"
        ),
    })
}

/// Otherwise nobody could join at all.
fn token_keys(settings: &Settings) -> Option<Broken> {
    let auth = &settings.auth;
    (auth.mode == AuthMode::Token && !auth.has_keys()).then(|| Broken {
        keys: vec![("auth.keys", auth.keys.len() as u64)],
        allowed: "a key in auth.keys or auth.jwks_file, since auth.mode is token".to_owned(),
    })
}

/// Otherwise it would protect nothing on loopback, and elsewhere let nobody in.
fn ops_token(settings: &Settings) -> Option<Broken> {
    let ops = &settings.ops;
    (ops.protect_reads && ops.token_file.as_os_str().is_empty()).then(|| Broken {
        keys: vec![("ops.protect_reads", 1)],
        allowed: "a file in ops.token_file, since ops.protect_reads is on".to_owned(),
    })
}

/// Otherwise the receiver could not tell what is from here.
fn webhook_secret(settings: &Settings) -> Option<Broken> {
    let webhooks = &settings.webhooks;
    (webhooks.are_on() && webhooks.secret_file.as_os_str().is_empty()).then(|| Broken {
        keys: vec![("webhooks.secret_file", 0)],
        allowed: "a file with a secret in webhooks.secret_file, since webhooks.url names a receiver".to_owned(),
    })
}

/// Otherwise the second attempt would wait longer than the longest wait.
fn webhook_waits(settings: &Settings) -> Option<Broken> {
    let (min, max) = (settings.webhooks.retry_min_ms.0, settings.webhooks.retry_max_ms.0);
    (min > max).then(|| Broken {
        keys: vec![("webhooks.retry_min_ms", min), ("webhooks.retry_max_ms", max)],
        allowed: "webhooks.retry_min_ms of at most webhooks.retry_max_ms".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Milliseconds;

    fn refusal(change: fn(&mut Settings)) -> Option<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        let origins = [("server.port".to_owned(), "variable PORT".to_owned())].into();
        let error = check(&settings, &origins).err()?;
        let ConfigError::Conflict { keys, .. } = &error else { panic!("{error}") };
        let known: Vec<_> = crate::config::settings::keys().map(crate::config::section::Key::path).collect();
        assert!(keys.iter().all(|key| known.iter().any(|path| path == key)), "{keys:?}");
        Some(error.to_string())
    }

    #[test]
    fn the_last_value_that_fits_is_taken() {
        for change in [
            (|_| ()) as fn(&mut Settings),
            |s| (s.server.port, s.ops.port) = (0, 0),
            |s| s.server.drain_ms = Milliseconds(24_999),
            |s| s.heartbeat.interval_ms = Milliseconds(299_999),
            |s| s.watchdog.silent_ms = Milliseconds(3999),
            |s| s.limits.frame_bytes = 128 + 4096 + 400,
            |s| (s.limits.frame_bytes, s.auth.jwks_file) = (128 + 4096 + 400 + 11 + 4096, "keys.json".into()),
            |s| s.limits.frame_bytes = 393_216,
            |s| s.limits.peers_per_room = 92,
            |s| (s.limits.peers_per_room, s.auth.show_user) = (78, true),
            |s| (s.auth.mode, s.auth.jwks_file) = (AuthMode::Token, "keys.json".into()),
            |s| (s.webhooks.url, s.webhooks.secret_file) = ("https://a.example/".into(), "secret".into()),
            |s| s.webhooks.retry_min_ms = Milliseconds(60_000),
            |s| (s.limits.peers_per_room, s.limits.queue_bytes) = (50, 2 * 50 * (4096 + 144)),
            |s| (s.ops.protect_reads, s.ops.token_file) = (true, "token".into()),
        ] {
            assert_eq!(refusal(change), None);
        }
    }

    #[test]
    fn the_first_that_does_not_is_refused_with_every_key_its_origin_and_the_bound() {
        for (change, told) in [
            (
                (|s| s.server.port = 9464) as fn(&mut Settings),
                "server.port = 9464 (variable PORT), ops.port = 9464 (default)",
            ),
            (
                |s| s.server.drain_ms = Milliseconds(25_000),
                "server.drain_ms = 25000 (default), server.drain_deadline_ms = 25000 (default)",
            ),
            (
                |s| s.heartbeat.interval_ms = Milliseconds(300_000),
                "allowed: heartbeat.interval_ms below heartbeat.connection_timeout_ms",
            ),
            (
                |s| s.auth.mode = AuthMode::Token,
                "auth.keys = 0 (default); allowed: a key in auth.keys or auth.jwks_file",
            ),
            (|s| s.ops.protect_reads = true, "ops.protect_reads = 1 (default); allowed: a file in ops.token_file"),
            (
                |s| s.webhooks.url = "https://a.example/".into(),
                "allowed: a file with a secret in webhooks.secret_file, since webhooks.url names a receiver",
            ),
            (
                |s| s.webhooks.retry_min_ms = Milliseconds(60_001),
                "allowed: webhooks.retry_min_ms of at most webhooks.retry_max_ms",
            ),
            (|s| s.watchdog.exit_ms = Milliseconds(1200), "allowed: watchdog.silent_ms below watchdog.exit_ms"),
            (|s| s.limits.frame_bytes = 4623, "limits.frame_bytes of at least 4624"),
            (
                |s| (s.limits.frame_bytes, s.auth.jwks_file) = (8730, "keys.json".into()),
                "limits.frame_bytes of at least 8731, since a join must fit: room name + meta + token + 400",
            ),
            (
                |s| (s.limits.peers_per_room, s.auth.show_user) = (79, true),
                "peers_per_room × (meta_bytes + 922), of at most 393216 bytes",
            ),
            (|s| s.limits.frame_bytes = 393_217, "limits.frame_bytes of at most 393216"),
            (
                |s| s.limits.peers_per_room = 93,
                "limits.peers_per_room = 93 (default), limits.meta_bytes = 4096 (default)",
            ),
            (
                |s| s.limits.peers_per_room = 93,
                "at most 393216 bytes, half of what may wait for a reader; this one may have 394320",
            ),
        ] {
            let text = refusal(change).expect(told);
            assert!(text.contains(told), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
