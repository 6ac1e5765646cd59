//! A real TURN server, coturn, on loopback.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

use super::{
    server::temp_dir,
    tls::Certificates,
    wait::{PATIENCE, eventually_within},
};

/// One that runs, and ends with the test.
pub(crate) struct Coturn {
    child: Child,
    port: u16,
    _home: Arc<TempDir>,
}

impl Coturn {
    /// Starts one at `port` that takes credentials made of `secret` and no others, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(port: u16, secret: &str) -> Self {
        Self::with(port, secret, &["--no-tls".to_owned(), "--no-dtls".to_owned()])
    }

    /// The same, which speaks TLS at `tls_port`, with that certificate.
    #[track_caller]
    pub(crate) fn start_secure(port: u16, tls_port: u16, secret: &str, certificates: &Certificates) -> Self {
        let [cert, key] = ["cert.pem", "key.pem"].map(|name| certificates.path(name).display().to_string());
        let tls = [format!("--tls-listening-port={tls_port}"), format!("--cert={cert}"), format!("--pkey={key}")];
        let coturn = Self::with(port, secret, &tls);
        wait_for(SocketAddr::from((Ipv4Addr::LOCALHOST, tls_port)));
        coturn
    }

    #[track_caller]
    fn with(port: u16, secret: &str, more: &[String]) -> Self {
        let home = temp_dir();
        let file = |name: &str| home.path().join(name).display().to_string();
        let mut command = Command::new("turnserver");
        command.args(["-n", "--no-cli", "--log-file=stdout", "--allow-loopback-peers"]).args(more);
        command.args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=rooms.example.org"]);
        command.arg(format!("--listening-port={port}"));
        command.args(["--use-auth-secret".to_owned(), format!("--static-auth-secret={secret}")]);
        command.args([format!("--userdb={}", file("users")), format!("--pidfile={}", file("pid"))]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("start turnserver (scripts/install-test-tools.sh installs coturn)");
        let coturn = Self { child, port, _home: home };
        wait_for(coturn.address());
        coturn
    }

    /// Where it listens, for UDP and for TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

#[track_caller]
fn wait_for(address: SocketAddr) {
    eventually_within(PATIENCE, "coturn listens", || {
        TcpStream::connect(address).map(|_| ()).map_err(|error| error.to_string())
    });
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
