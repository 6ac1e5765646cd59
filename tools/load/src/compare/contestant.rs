//! The servers: how each is started, with every limit out of the way and its logging as its column says.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

use crate::dialect::Protocol;

/// Where the servers are.
#[derive(Debug, Clone, clap::Args)]
pub struct Places {
    /// Switchboard's binary
    #[arg(long)]
    pub switchboard: PathBuf,
    /// The baseline's binary
    #[arg(long)]
    pub baseline_server: PathBuf,
    /// The binary of `matchbox_server`
    #[arg(long)]
    pub matchbox: PathBuf,
    /// The folder of the peers' scripts, `node_modules` and Switchboard's settings for the comparison
    #[arg(long, default_value = "tools/compare")]
    pub peers: PathBuf,
    /// A folder for logs and results
    #[arg(long, default_value = "target/compare")]
    pub cache: PathBuf,
}

/// A server in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contestant {
    /// The least a relay can do.
    Baseline,
    /// Switchboard as delivered: a log line for each join.
    Switchboard,
    /// Switchboard at log level `error`.
    SwitchboardQuiet,
    /// `matchbox_server` (Rust, axum).
    Matchbox,
    /// A relay on plain `ws` (Node).
    Ws,
    /// `PeerServer` (Node).
    Peerjs,
    /// A relay on Socket.IO (Node).
    Socketio,
    /// `y-webrtc`'s server (Node).
    Ywebrtc,
}

impl Contestant {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 8] = [
        Self::Baseline,
        Self::Switchboard,
        Self::SwitchboardQuiet,
        Self::Matchbox,
        Self::Ws,
        Self::Peerjs,
        Self::Socketio,
        Self::Ywebrtc,
    ];

    /// The heading of its column.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Switchboard => "Switchboard",
            Self::SwitchboardQuiet => "Switchboard, quiet",
            Self::Matchbox => "matchbox",
            Self::Ws => "ws relay",
            Self::Peerjs => "PeerJS",
            Self::Socketio => "socket.io",
            Self::Ywebrtc => "y-webrtc",
        }
    }

    /// A name for files.
    #[must_use]
    pub fn slug(self) -> String {
        self.title().to_lowercase().replace([',', ' ', '.'], "")
    }

    /// Its protocol.
    #[must_use]
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Baseline | Self::Switchboard | Self::SwitchboardQuiet => Protocol::Switchboard,
            Self::Matchbox => Protocol::Matchbox,
            Self::Ws => Protocol::Ws,
            Self::Peerjs => Protocol::Peerjs,
            Self::Socketio => Protocol::Socketio,
            Self::Ywebrtc => Protocol::Ywebrtc,
        }
    }

    /// Whether it is Switchboard.
    #[must_use]
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Switchboard | Self::SwitchboardQuiet)
    }

    /// Whether it collects garbage when told to (see `servers/collect.js`).
    #[must_use]
    pub fn collects(self) -> bool {
        matches!(self, Self::Ws | Self::Peerjs | Self::Socketio | Self::Ywebrtc)
    }

    /// The command that starts it on `port`, pinned to `core`.
    ///
    /// # Errors
    /// A path does not exist.
    pub fn command(self, places: &Places, port: u16, core: u32) -> io::Result<Command> {
        let peers = existing(&places.peers)?;
        let mut command = Command::new("taskset");
        command.args(["-c", &core.to_string()]).current_dir(existing(&places.cache)?);
        match self {
            Self::Baseline => {
                command.arg(existing(&places.baseline_server)?).arg(format!("--address=127.0.0.1:{port}"));
                command.arg("--config").arg(peers.join("switchboard.toml"));
            }
            Self::Switchboard | Self::SwitchboardQuiet => {
                let level = if self == Self::Switchboard { "info" } else { "error" };
                command.arg(existing(&places.switchboard)?).arg("--config").arg(peers.join("switchboard.toml"));
                command.env("SWITCHBOARD__SERVER__PORT", port.to_string());
                command.env("SWITCHBOARD__OPS__PORT", (port + 1).to_string());
                command.env("SWITCHBOARD__LOG__LEVEL", level);
            }
            Self::Matchbox => {
                // Its default prints a line for each join; quieted, as all peers are.
                command.arg(existing(&places.matchbox)?).arg(format!("127.0.0.1:{port}")).env("RUST_LOG", "off");
            }
            Self::Ws => node(&mut command, &peers, "servers/ws.js", port),
            Self::Peerjs => node(&mut command, &peers, "servers/peerjs.js", port),
            Self::Socketio => node(&mut command, &peers, "servers/socketio.js", port),
            Self::Ywebrtc => node(&mut command, &peers, "node_modules/y-webrtc/bin/server.js", port),
        }
        Ok(command)
    }
}

fn node(command: &mut Command, peers: &Path, script: &str, port: u16) {
    command.args(["node", "--expose-gc", "--require"]).arg(peers.join("servers/collect.js")).arg(peers.join(script));
    command.env("NODE_ENV", "production").env("PORT", port.to_string());
}

fn existing(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_has_its_own_title_and_file_name() {
        let titles: BTreeSet<_> = Contestant::ALL.iter().map(|c| c.title()).collect();
        let slugs: BTreeSet<_> = Contestant::ALL.iter().map(|c| c.slug()).collect();
        assert_eq!((titles.len(), slugs.len()), (Contestant::ALL.len(), Contestant::ALL.len()));
        assert!(slugs.iter().all(|s| s.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')));
    }

    #[test]
    fn a_missing_program_is_named() {
        let here = PathBuf::from(".");
        let places = Places {
            switchboard: here.clone(),
            baseline_server: "no/such/baseline".into(),
            matchbox: here.clone(),
            peers: here.clone(),
            cache: here,
        };
        let error = Contestant::Baseline.command(&places, 1, 0).unwrap_err();
        assert!(error.to_string().contains("no/such/baseline"));
    }
}
