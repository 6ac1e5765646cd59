//! A real `HAProxy` with the configuration that is shipped, on loopback.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use tempfile::TempDir;

use super::{
    ports,
    server::temp_dir,
    wait::{PATIENCE, eventually_within},
};

/// One that runs, and ends with the test.
pub(crate) struct Haproxy {
    child: Child,
    /// Where clients come.
    pub(crate) address: SocketAddr,
    _home: Arc<TempDir>,
}

impl Haproxy {
    /// Starts `config/haproxy/haproxy.cfg` before these servers, by name, instead of those that it names.
    #[track_caller]
    pub(crate) fn start(servers: &[(&str, SocketAddr)]) -> Self {
        let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/haproxy/haproxy.cfg")).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::reserve()));
        let kept = shipped.lines().filter(|line| !line.trim_start().starts_with("server "));
        let here = kept.map(|line| match line.trim_start() {
            line if line.starts_with("bind ") => format!("    bind {address}\n"),
            _ => format!("{line}\n"),
        });
        let named = servers.iter().map(|(name, at)| format!("    server {name} {at} check\n"));
        let home = temp_dir();
        let file = home.path().join("haproxy.cfg");
        fs::write(&file, here.chain(named).collect::<String>()).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("start haproxy (scripts/install-test-tools.sh installs it)");
        let proxy = Self { child, address, _home: home };
        eventually_within(PATIENCE, "HAProxy listens", || {
            TcpStream::connect(address).map(|_| ()).map_err(|error| error.to_string())
        });
        proxy
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
