//! What does not stop the start, and yet somebody should know.

use std::{fs, net::IpAddr};

use super::{
    auth::AuthMode,
    capacity::Capacity,
    error::OneLine,
    http::NULL_ORIGIN,
    report,
    rules::Origins,
    section::Key,
    settings::{Settings, keys},
    variables::{self, Resembling},
};

/// What this machine gives.
struct Machine {
    open_files: u64,
    /// `net.core.somaxconn`, where it can be read.
    backlog: Option<u64>,
    /// `net.core.wmem_max` in bytes, where it can be read.
    send_buffer: Option<u64>,
    /// `net.core.rmem_max` in bytes, where it can be read.
    receive_buffer: Option<u64>,
}

/// What the settings ask for and this machine does not give: a sentence each, with both figures.
/// `open_files_limit` is the soft `RLIMIT_NOFILE` of the process.
#[must_use]
pub fn machine_warnings(settings: &Settings, open_files_limit: u64) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    let machine = Machine {
        open_files: open_files_limit,
        backlog: read("/proc/sys/net/core/somaxconn"),
        send_buffer: read("/proc/sys/net/core/wmem_max"),
        receive_buffer: read("/proc/sys/net/core/rmem_max"),
    };
    compare(settings, &machine)
}

/// That the limits together allow more than `limits.memory_bytes`, with both figures. `settings` are those in force.
#[must_use]
pub fn memory_warning(settings: &Settings) -> Option<String> {
    let (budget, sum) = (settings.limits.memory_bytes, settings.could_hold());
    (sum > budget as u64).then(|| {
        format!(
            "limits.memory_bytes = {budget} is less than the {sum} that server.max_connections = {} could come to by \
             limits.queue_bytes, limits.resume_bytes, limits.frame_bytes and the kernel's buffers: when it is nearly used, \
             new connections are refused, and those that hold most are ended",
            settings.server.max_connections
        )
    })
}

/// What is open to everybody by default, and should not be where everybody can come; a sentence each, with the key.
/// `public` and `ops` are the addresses that the two sides listen on.
#[must_use]
pub fn exposure_warnings(settings: &Settings, public: IpAddr, ops: IpAddr) -> Vec<String> {
    let (http, limits) = (&settings.http, &settings.limits);
    let warn = |is_so: bool, text: String| is_so.then_some(text);
    let origins = format!(
        "http.allowed_origins has \"*\", and {public} is no address of this machine or network alone: any page may open \
         connections here with its visitors' browsers (list your own origins, or \"same\" for the server's own page)"
    );
    // A proxy on this machine or network brings everybody, whatever address it asks.
    let is_proxied = http.behind_tls || !http.trusted_proxies.is_empty();
    let come = if is_open(public) {
        format!("{public} is no address of this machine or network alone")
    } else {
        "http.behind_tls or http.trusted_proxies says that a proxy brings others here".to_owned()
    };
    let anybody = format!(
        "auth.mode is open, and {come}: ANYBODY who knows or guesses the name of a room may join it (set auth.mode to token, and \
         auth.keys: docs/tokens.md)"
    );
    let null = format!(
        "http.allowed_origins has \"null\", and {public} is no address of this machine or network alone: any page may open \
         connections here out of a sandboxed frame, whose origin is that"
    );
    let exempt = format!(
        "limits.exempt_loopback is on, and {public} is no address of this machine or network alone: a proxy on this \
         machine has no limits per address, unless it is on http.trusted_proxies"
    );
    let reads = format!(
        "ops.host listens on {ops}, which is no address of this machine or network alone: whoever reaches it reads \
         /metrics and /errors (put a firewall before it)"
    );
    let token = format!(
        "ops.host listens on {ops}, and ops.token_file names no token: /admin is closed (name one, or end the server by \
         SIGTERM alone)"
    );
    let proxies =
        "http.behind_tls says that a proxy stands before this server, and http.trusted_proxies names none: all \
                   its clients share the limits of one address"
            .to_owned();
    let nobody =
        "http.proxy_protocol is on, and http.trusted_proxies names none: its line is refused from everybody".to_owned();
    let lists = |entry: &str| http.allowed_origins.iter().any(|origin| origin == entry);
    [
        warn((is_open(public) || is_proxied) && settings.auth.mode == AuthMode::Open, anybody),
        warn(is_open(public) && lists("*"), origins),
        warn(is_open(public) && lists(NULL_ORIGIN), null),
        warn(is_open(public) && limits.exempt_loopback, exempt),
        warn(is_open(ops), reads),
        warn(!ops.is_loopback() && settings.ops.token_file.as_os_str().is_empty(), token),
        warn(http.behind_tls && http.trusted_proxies.is_empty(), proxies),
        warn(http.proxy_protocol && http.trusted_proxies.is_empty(), nobody),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Whether others than this machine and its network may come to it. All addresses of a machine are (`0.0.0.0`).
#[must_use]
pub fn is_open(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    }
}

fn compare(settings: &Settings, machine: &Machine) -> Vec<String> {
    let (connections, limit) = (settings.server.max_connections, machine.open_files);
    let capacity = Capacity::of(settings, limit);
    let files = (capacity.short && capacity.connections < connections).then(|| {
        format!(
            "server.max_connections = {connections} needs {} file descriptors and the process may open {limit}: \
             {} connections are let in (raise `ulimit -n`, or LimitNOFILE= of the service)",
            Capacity::needed(settings),
            capacity.connections
        )
    });
    let backlog = less("http.backlog", settings.http.backlog.into(), "net.core.somaxconn", machine.backlog);
    let buffer = settings.heartbeat.send_buffer_bytes as u64;
    let buffer = less("heartbeat.send_buffer_bytes", buffer, "net.core.wmem_max", machine.send_buffer);
    let received = settings.heartbeat.receive_buffer_bytes as u64;
    let received = less("heartbeat.receive_buffer_bytes", received, "net.core.rmem_max", machine.receive_buffer);
    [files, backlog, buffer, received].into_iter().flatten().collect()
}

fn less(key: &str, asked: u64, setting: &str, given: Option<u64>) -> Option<String> {
    let given = given.filter(|given| *given < asked)?;
    Some(format!("{key} = {asked} is more than the kernel's {setting} = {given}: it will use {given}"))
}

/// What was configured and is hardly meant: values far from the usual ones, and variables that are not read.
pub(super) fn doubts(settings: &Settings, origins: &Origins, environment: &[(String, String)]) -> Vec<String> {
    let values = report::values(settings);
    let value = |key: &Key| report::value(&values, key).as_i64();
    let doubtful = keys().filter_map(|key| {
        let origin = origins.get(&key.path())?;
        let doubt = key.kind.doubt(value(key)?)?;
        Some(format!("{} ({origin}) is {}", key.path(), doubt.text))
    });
    let unread = environment.iter().filter_map(|(name, value)| match variables::resembling(name, value)? {
        Resembling::Misspelt(Some(near)) => Some(format!("variable {name} is not read: did you mean {near}?")),
        Resembling::Misspelt(None) => Some(format!("variable {name} is not read: ours are SWITCHBOARD__SECTION__KEY")),
        Resembling::OfService => None,
    });
    doubtful
        .chain(small_budgets(settings))
        .chain(small_shares(settings))
        .chain(unread)
        .map(|text| OneLine(&text).to_string())
        .collect()
}

/// Budgets in bytes that what they are for does not fit into.
fn small_budgets(settings: &Settings) -> impl Iterator<Item = String> {
    let limits = &settings.limits;
    let pairs = [
        ("byte_burst", limits.byte_burst, "frame_bytes", limits.frame_bytes, "the longest message"),
        (
            "byte_burst_per_address",
            limits.byte_burst_per_address,
            "byte_burst",
            limits.byte_burst,
            "what one connection may send",
        ),
        (
            "byte_rate_per_address",
            limits.byte_rate_per_address,
            "byte_rate",
            limits.byte_rate,
            "what one connection may send",
        ),
    ];
    pairs.into_iter().filter(|(_, budget, _, least, _)| budget < least).map(|(key, budget, other, least, what)| {
        format!("limits.{key} = {budget} is less than limits.{other} = {least}: {what} always waits for it")
    })
}

/// Frames that a peer sends another at once: an offer or an answer and its first ICE candidates.
const FRAMES_AT_ONCE: usize = 8;

/// A peer whose queue does not hold one message of each room mate's is busy for some as soon as others send; and whoever sends more
/// frames at once than its share has has them counted one by one.
fn small_shares(settings: &Settings) -> impl Iterator<Item = String> {
    let limits = &settings.limits;
    let (peers, frame, queue) = (limits.peers_per_room, limits.frame_bytes, limits.queue_bytes);
    let bytes = (queue < peers.saturating_mul(frame)).then(|| {
        format!(
            "limits.queue_bytes = {queue} is less than limits.peers_per_room = {peers} times limits.frame_bytes = {frame}: \
             when all of a room send their longest messages at once, some of them are told peer_busy"
        )
    });
    let (queue, shares) = (limits.queue_frames, peers.saturating_add(1));
    let needed = shares.saturating_mul(FRAMES_AT_ONCE);
    let frames = (queue < needed).then(|| {
        format!(
            "limits.queue_frames = {queue} in limits.peers_per_room + 1 = {shares} shares is {} for each: an offer with its ICE \
             candidates is more and has to wait for its receiver ({needed} would do)",
            queue / shares
        )
    });
    [bytes, frames].into_iter().flatten()
}

/// The variables that somebody else made for a service called as we are.
pub(super) fn of_services(environment: &[(String, String)]) -> Vec<&str> {
    let theirs = |(name, value): &&(String, String)| variables::resembling(name, value) == Some(Resembling::OfService);
    environment.iter().filter(theirs).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Machine =
        Machine { open_files: 20_000, backlog: Some(4096), send_buffer: Some(212_992), receive_buffer: Some(212_992) };

    #[test]
    fn a_machine_that_gives_enough_or_does_not_say_is_no_reason_to_warn() {
        assert!(compare(&Settings::default(), &ENOUGH).is_empty());
        assert!(
            compare(
                &Settings::default(),
                &Machine { backlog: None, send_buffer: None, receive_buffer: None, ..ENOUGH }
            )
            .is_empty()
        );
        assert!(machine_warnings(&Settings::default(), u64::MAX).iter().all(|text| text.contains("net.core.")));
    }

    #[test]
    fn too_little_is_told_with_both_figures() {
        let needed = Capacity::needed(&Settings::default());
        assert!(compare(&Settings::default(), &Machine { open_files: needed as u64, ..ENOUGH }).is_empty());
        let (needed, less) = (needed.to_string(), (needed - 1).to_string());
        for (machine, told) in [
            (Machine { open_files: less.parse().unwrap(), ..ENOUGH }, [&*needed, &*less]),
            (Machine { open_files: 40, ..ENOUGH }, [&*needed, " 1 connections are let in"]),
            (Machine { backlog: Some(128), ..ENOUGH }, ["http.backlog = 4096", "net.core.somaxconn = 128"]),
            (Machine { send_buffer: Some(4096), ..ENOUGH }, ["send_buffer_bytes = 98304", "wmem_max = 4096"]),
            (Machine { receive_buffer: Some(4096), ..ENOUGH }, ["receive_buffer_bytes = 65536", "rmem_max = 4096"]),
        ] {
            let warnings = compare(&Settings::default(), &machine);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(told.iter().all(|part| warnings[0].contains(part)), "{warnings:?}");
        }
    }

    #[test]
    fn a_share_that_is_less_than_what_peers_send_at_once_is_told_in_frames_and_in_bytes() {
        let told = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            small_shares(&settings).collect::<Vec<_>>()
        };
        assert!(told(|_| ()).is_empty());
        let frames = told(|settings| (settings.limits.peers_per_room, settings.limits.queue_bytes) = (32, 256 << 20));
        let words = ["limits.queue_frames = 256", "limits.peers_per_room + 1 = 33", " 7 for each", "264 would do"];
        assert!(frames.len() == 1 && words.iter().all(|word| frames[0].contains(word)), "{frames:?}");
        let enough = |settings: &mut Settings| {
            (settings.limits.peers_per_room, settings.limits.queue_bytes) = (32, 256 << 20);
            settings.limits.queue_frames = 264;
        };
        assert!(told(enough).is_empty());
        let bytes = told(|settings| settings.limits.queue_bytes = 10 * settings.limits.frame_bytes - 1);
        assert!(bytes.len() == 1 && bytes[0].contains("limits.queue_bytes = "), "{bytes:?}");
    }

    fn exposed(change: impl FnOnce(&mut Settings), public: &str, ops: &str) -> Vec<String> {
        let mut settings = Settings::default();
        change(&mut settings);
        let address = |text: &str| text.parse().expect("an address");
        exposure_warnings(&settings, address(public), address(ops))
    }

    #[test]
    fn what_is_open_to_every_page_is_told_where_everybody_can_come() {
        for public in ["0.0.0.0", "::", "203.0.113.7", "2001:db8::7", "::ffff:203.0.113.7", "100.64.0.1"] {
            for origin in ["*", NULL_ORIGIN] {
                let told = exposed(|s| s.http.allowed_origins = vec![origin.into()], public, "127.0.0.1");
                let words = ["http.allowed_origins", origin, public];
                assert!(told.len() == 2 && words.iter().all(|word| told[1].contains(word)), "{told:?}");
                assert!(told[0].contains("auth.mode is open") && told[0].contains("ANYBODY"), "{told:?}");
            }
            let closed = exposed(|s| s.auth.mode = AuthMode::Token, public, "127.0.0.1");
            assert!(closed.is_empty(), "the server's own page alone, and who has a token: {closed:?}");
        }
        for near in ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.0.1", "fd00::1", "fe80::1"] {
            let all = |s: &mut Settings| s.http.allowed_origins = vec!["*".into(), "null".into()];
            assert!(exposed(all, near, "127.0.0.1").is_empty(), "{near}");
        }
    }

    #[test]
    fn a_proxy_brings_everybody_to_an_address_that_nobody_else_can_reach() {
        for host in ["127.0.0.1", "10.0.0.7", "::1"] {
            for change in [(|s| s.http.behind_tls = true) as fn(&mut Settings), |s| {
                s.http.trusted_proxies = vec!["127.0.0.1".into()];
            }] {
                let told = |mode: AuthMode| {
                    let told = exposed(|s| (change(s), s.auth.mode = mode).1, host, "127.0.0.1");
                    told.iter().filter(|text| text.contains("ANYBODY")).count()
                };
                assert_eq!((told(AuthMode::Open), told(AuthMode::Token)), (1, 0), "{host}");
            }
        }
    }

    #[test]
    fn each_key_that_is_open_is_named() {
        let told = |change: fn(&mut Settings), ops: &str| exposed(change, "0.0.0.0", ops).join("; ");
        assert!(told(|s| s.limits.exempt_loopback = true, "127.0.0.1").contains("limits.exempt_loopback"));
        assert!(told(|s| s.http.behind_tls = true, "127.0.0.1").contains("http.trusted_proxies"));
        let listed = |s: &mut Settings| (s.http.behind_tls, s.http.trusted_proxies) = (true, vec!["::1".into()]);
        assert!(!told(listed, "127.0.0.1").contains("http.trusted_proxies"));
        let nobody = |s: &mut Settings| s.http.proxy_protocol = true;
        assert!(told(nobody, "127.0.0.1").contains("http.proxy_protocol is on"));
        let proxied = |s: &mut Settings| {
            (s.http.proxy_protocol, s.http.trusted_proxies) = (true, vec!["::1".into()]);
            s.auth.mode = AuthMode::Token;
        };
        assert_eq!(told(proxied, "127.0.0.1"), "");
        let open = told(|_| (), "0.0.0.0");
        assert!(open.contains("ops.host listens on 0.0.0.0") && open.contains("ops.token_file"), "{open}");
        let near = told(|_| (), "10.0.0.7");
        assert!(!near.contains("/metrics") && near.contains("ops.token_file"), "{near}");
        let armed = told(|s| s.ops.token_file = "/etc/token".into(), "10.0.0.7");
        assert!(!armed.contains("ops."), "{armed}");
    }
}
