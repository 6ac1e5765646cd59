//! A redis-server on a socket of its own.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::WITHIN;

/// One server; it ends with the test.
pub(crate) struct TestRedis {
    dir: TempDir,
    child: Option<Child>,
    options: Vec<String>,
}

impl TestRedis {
    /// Starts one, without persistence.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with more options.
    pub(crate) fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Self { dir, child: None, options };
        redis.start_again();
        redis
    }

    fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("redis.sock")
    }

    pub(crate) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Kills it, as a crash does: it has nothing any more.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
        }
        let _ = std::fs::remove_file(self.socket());
    }

    /// Starts it again: with what `SAVE` wrote, or empty.
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(self.socket());
        command.args(&self.options).current_dir(self.dir.path()).stdout(Stdio::null());
        self.child = Some(command.spawn().expect("redis-server: scripts/install-test-tools.sh installs it"));
        let began = Instant::now();
        while self.try_ask(&["PING"]).is_none_or(|answer| !answer.contains("PONG")) {
            assert!(began.elapsed() < WITHIN, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the process, or lets it go on.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
    }

    /// Asks it something; its answer as it comes, if it answers.
    pub(crate) fn try_ask(&self, command: &[&str]) -> Option<String> {
        let mut socket = UnixStream::connect(self.socket()).ok()?;
        socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let parts: Vec<_> = command.iter().map(|part| format!("${}\r\n{part}\r\n", part.len())).collect();
        socket.write_all(format!("*{}\r\n{}", parts.len(), parts.concat()).as_bytes()).ok()?;
        let mut answer = vec![0; 65_536];
        let length = socket.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        self.kill();
    }
}
