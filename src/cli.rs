//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Actor-based signaling server for WebRTC rooms.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "switchboard", version, about, after_help = crate::config::environment_help())]
pub struct Arguments {
    /// TOML file laid over the built-in defaults; the environment is laid over both.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Check the configuration, print what is in effect or doubtful; exit with 0, or 1 if it is unsound.
    #[arg(long)]
    pub check_config: bool,

    /// Ask the server on this machine whether it lives, and say what it said; exit with 0 if so, or 1.
    #[arg(long, conflicts_with = "check_config")]
    pub probe: bool,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, error::ErrorKind};

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_arguments_are_read() {
        Arguments::command().debug_assert();
        assert_eq!(parse("switchboard").unwrap(), Arguments { config: None, check_config: false, probe: false });
        let both = Arguments { config: Some("a.toml".into()), check_config: true, probe: false };
        assert_eq!(parse("switchboard --config a.toml --check-config").unwrap(), both);
        assert_eq!(parse("switchboard --config").unwrap_err().kind(), ErrorKind::InvalidValue);
        assert_eq!(parse("switchboard --port 1").unwrap_err().kind(), ErrorKind::UnknownArgument);
        assert_eq!(parse("switchboard stray").unwrap_err().kind(), ErrorKind::UnknownArgument);
    }

    #[test]
    fn the_version_is_told_and_the_help_names_every_plain_variable() {
        let version = parse("switchboard --version").unwrap_err();
        assert_eq!(version.to_string(), format!("switchboard {}\n", env!("CARGO_PKG_VERSION")));
        let help = parse("switchboard --help").unwrap_err().to_string();
        for name in ["HOST", "PORT", "MAX_CONNECTIONS", "HEARTBEAT_INTERVAL", "CONNECTION_TIMEOUT", "LOG_LEVEL"] {
            assert!(help.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name} in {help}");
        }
        assert!(help.contains("SWITCHBOARD__SECTION__KEY"), "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}
