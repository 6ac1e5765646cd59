//! `[server]`: the public listener, its connections and how the process ends.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZero,
    thread,
};

use super::{kind::Kind, milliseconds::Milliseconds, section::section};

/// What a host may be, for the public and the operator's listener.
pub(super) const HOST: Kind =
    Kind::Text { check: host, allowed: "an IP address or a host name, without brackets and without a port" };

/// What stands for the machine's host name in `node`, as in systemd's units.
const HOST_NAME: &str = "%H";

section! {
    /// The public side: where clients connect, how many of them, and how the process ends.
    Server = "server" {
        /// Address the public side listens on.
        /// Every IPv4 address of the machine by default, because clients come from elsewhere; `::` adds IPv6.
        host: String = "0.0.0.0".to_owned(), HOST, plain "HOST";

        /// Port the public side listens on (WebSocket, page and probes); 0 lets the system choose one.
        /// 8080 needs no privileges and is what proxies expect of an application.
        port: u16 = 8080, Kind::count(0, 65_535, ""), plain "PORT";

        /// Threads that serve connections; 0 means one for each core the process may use.
        /// More than that only adds thread switches, because no handler blocks.
        workers: usize = 0, Kind::count(0, 1024, "threads");

        /// Connections the public side holds at once; those beyond get 503 with `Retry-After`.
        /// 10 000 is what one server is tested with. Each takes a file descriptor: compare `ulimit -n`.
        max_connections: usize = 10_000, Kind::count(1, 1_000_000, "connections"), plain "MAX_CONNECTIONS", exported;

        /// This server's name in `welcome` and in every line of the log; `%H` in it stands for the machine's host name.
        /// It tells servers apart where several stand behind one address. Empty, also as a variable: it has none.
        node: String = HOST_NAME.to_owned(), Kind::TextOrNone {
            check: node,
            allowed: "at most 255 bytes without control characters, %H for the host name; empty for none",
        };

        /// Time over which the connections are closed on SIGTERM, each at its own place in it.
        /// 20 s spread 10 000 clients to 500 a second, so that they do not all come back at once elsewhere.
        drain_ms: Milliseconds = Milliseconds(20_000), Kind::milliseconds(0).usual(1000, 3_600_000), exported;

        /// Time from SIGTERM after which the process ends, whoever is still there; longer than `drain_ms`.
        /// 25 s stay below the 30 s after which Kubernetes kills.
        drain_deadline_ms: Milliseconds = Milliseconds(25_000), Kind::milliseconds(1);

        /// Whether SIGTERM hands the sessions that can be resumed over to the next start, by way of `state.dir`, and ends
        /// the process at once, instead of relaying for `drain_ms` and ending them. The next start has to find `state.dir`.
        /// Off, because only you know whether the next start is here: it is no use where another server takes over.
        handover: bool = false, Kind::Switch;

        /// Time from the start during which `/readyz` still answers 503.
        /// 2 s let a service manager notice a process that dies at once, before clients are sent to it.
        ready_delay_ms: Milliseconds = Milliseconds(2000), Kind::milliseconds(0).usual(100, 300_000);
    }
}

impl Server {
    /// How many threads to start: `workers`, or one for each core the process may use.
    #[must_use]
    pub fn worker_count(&self) -> usize {
        match self.workers {
            0 => thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        }
    }

    /// This server's name: `node`, with the machine's host name (or `localhost` where even that cannot be read) in its
    /// place. `None` if it is to have none.
    #[must_use]
    pub fn node_name(&self) -> Option<String> {
        if !self.node.contains(HOST_NAME) {
            return Some(self.node.clone()).filter(|node| !node.is_empty());
        }
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let name = if name.trim().is_empty() { "localhost" } else { name.trim() };
        Some(self.node.replace(HOST_NAME, name))
    }
}

fn host(text: &str) -> Option<String> {
    (text.parse::<IpAddr>().is_ok() || is_host_name(text)).then(|| text.to_owned())
}

/// RFC 1123 section 2.1, and the underscore that container networks use. An all-digit last label would be a
/// mistyped IPv4 address, as in the URL standard.
pub(super) fn is_host_name(text: &str) -> bool {
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let ends_in_a_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label_fits) && !ends_in_a_number
}

/// The host part of a URL: as [`is_host_name`], an IPv4 address, or an IPv6 address in brackets.
pub(super) fn is_url_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => is_host_name(text) || text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()),
    }
}

fn node(text: &str) -> Option<String> {
    (text.len() <= 255 && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_an_address_or_a_name_and_nothing_more() {
        for good in ["0.0.0.0", "127.0.0.1", "::", "::1", "localhost", "sfu-1.example.org", "my_service"] {
            assert_eq!(host(good).as_deref(), Some(good));
        }
        let long = "a".repeat(254);
        for bad in ["", "256.1.1.1", "0.0.0.0:80", "[::]", "a b", "http://a", "-a", "a..b", "a\n", "8080", &long] {
            assert_eq!(host(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn zero_workers_means_the_cores() {
        let mut server = Server::default();
        assert_eq!(server.worker_count(), thread::available_parallelism().unwrap().get());
        server.workers = 3;
        assert_eq!(server.worker_count(), 3);
    }

    #[test]
    fn a_server_is_called_as_its_machine_unless_it_is_given_another_name_or_none() {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let host = host.trim();
        let name = |node: &str| Server { node: node.to_owned(), ..Server::default() }.node_name();
        assert_eq!(Server::default().node_name().as_deref(), Some(host));
        assert_eq!(name("blue").as_deref(), Some("blue"));
        assert_eq!(name("eu-%H"), Some(format!("eu-{host}")));
        assert_eq!(name(""), None);
    }
}
