//! `[ops]`: the operator's listener.

use std::path::PathBuf;

use super::{
    kind::Kind,
    milliseconds::Milliseconds,
    section::section,
    server::{HOST, is_host_name},
    tls::{FILE, TlsFiles},
};

section! {
    /// The operator's side: `/metrics` and whatever clients have no business with.
    Ops = "ops" {
        /// Address the operator's side listens on.
        /// Loopback by default, because it asks for no password; elsewhere, put a firewall before it.
        host: String = "127.0.0.1".to_owned(), HOST;

        /// Port the operator's side listens on, another than `server.port`; 0 lets the system choose one.
        /// 9464 is the port that OpenTelemetry gave to Prometheus exporters.
        port: u16 = 9464, Kind::count(0, 65_535, "");

        /// File with the token that whatever is below `/admin` asks for as `Authorization: Bearer`; empty: it asks for none.
        /// Empty by default, because on loopback whoever can ask can also send a signal. Elsewhere those routes are
        /// refused without it. One line of 16 to 512 visible ASCII characters; read at the start, and at each reload.
        token_file: PathBuf = PathBuf::new(), FILE, live;

        /// Whether the token is asked for by what only reads, too: `/metrics`, `/errors` and the probes of the operator's side.
        /// What is below `/admin` asks for it in any case. Off by default, so that Prometheus and health checks need none; with
        /// it, neither gets anything without the header. The live page opens all the same, since its files tell nothing of this
        /// server, and asks its reader for the token.
        protect_reads: bool = false, Kind::Switch;

        /// Names by which the operator's side may be asked for (`Host`), beside any IP address, `localhost`, `ops.host` and
        /// `server.node`. None by default: a page can turn a name of its own to this address, and would read what it finds.
        allowed_hosts: Vec<String> = Vec::new(), Kind::List {
            check: is_host_name,
            allowed: "a list of host names, without a port",
        };

        /// Wrong tokens a minute that one address may show; then none of it is looked at until the next may come (429).
        /// 10 are more than somebody mistypes, and too few to guess by. Whoever else asks waits for nobody.
        token_failures_per_minute: u32 = 10, Kind::count(1, 1_000_000, "tokens a minute"), exported;

        /// Longest time since the last scrape, when a drain is over, for which the end waits for one more that tells of it.
        /// 15 s are a scrape interval of 10 s and half of another. Prometheus excuses only what it saw going, and without
        /// connections a drain takes no time. A server that nobody scrapes ends at once, and so does one after Ctrl-C;
        /// curl, browsers and the live page are no scrapers. `server.drain_deadline_ms` holds all the same. 0: never waits.
        scrape_wait_ms: Milliseconds = Milliseconds(15_000), Kind::milliseconds(0);

        /// File with the certificate of the operator's side, as `tls.cert_file` is for the public one; it may be the same.
        /// Empty: plain HTTP, because on loopback nobody listens in. Elsewhere the token would be for all to read.
        tls_cert_file: PathBuf = PathBuf::new(), FILE, live;

        /// File with the key of that certificate, in PEM, without a password.
        /// Empty with the other, as `tls.key_file` is.
        tls_key_file: PathBuf = PathBuf::new(), FILE, live;
    }
}

impl Ops {
    /// Where the certificate of the operator's listener is, if it speaks TLS.
    #[must_use]
    pub fn tls_files(&self) -> Option<TlsFiles> {
        TlsFiles::of(&self.tls_cert_file, &self.tls_key_file)
    }
}
