//! The command line.

mod ctl;
mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use ctl::{CtlArguments, CtlError};
pub use token::{IssueError, TokenArguments};

/// Actor-based signaling server for WebRTC rooms.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "switchboard", version, about, after_help = crate::config::environment_help())]
pub struct Arguments {
    /// TOML file laid over the built-in defaults; the environment is laid over both.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Check the configuration, print what is in effect or doubtful; exit with 0, or 1 if it is unsound.
    #[arg(long)]
    pub check_config: bool,

    /// Ask the server on this machine whether it lives, and say what it said; exit with 0 if so, or 1.
    #[arg(long, conflicts_with = "check_config")]
    pub probe: bool,

    /// Something else than to run the server.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program does beside running a server.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Make a join token and print it.
    Token(TokenArguments),
    /// Ask a running server something, or tell it to do something, by its ops listener.
    Ctl(CtlArguments),
    /// Be the STUN responder of [stun], and nothing else.
    Stun(StunArguments),
}

/// `switchboard stun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct StunArguments {
    /// Ask the responder on this machine, and say what it said; exit with 0 if it answers, or 1.
    #[arg(long)]
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
        assert_eq!(
            parse("switchboard").unwrap(),
            Arguments { config: None, check_config: false, probe: false, command: None }
        );
        let both = Arguments { config: Some("a.toml".into()), check_config: true, probe: false, command: None };
        assert_eq!(parse("switchboard --config a.toml --check-config").unwrap(), both);
        assert_eq!(parse("switchboard --config").unwrap_err().kind(), ErrorKind::InvalidValue);
        assert_eq!(parse("switchboard --port 1").unwrap_err().kind(), ErrorKind::UnknownArgument);
        assert_eq!(parse("switchboard stray").unwrap_err().kind(), ErrorKind::InvalidSubcommand);
    }

    #[test]
    fn a_token_is_for_rooms_or_for_a_prefix() {
        let Some(Command::Token(token)) = parse("switchboard token --room a --room b --ttl 5m").unwrap().command else {
            panic!("a command")
        };
        assert_eq!((token.rooms, token.ttl.as_secs()), (vec!["a".to_owned(), "b".to_owned()], 300));
        for (line, kind) in [
            ("switchboard token", ErrorKind::MissingRequiredArgument),
            ("switchboard token --room a --prefix b", ErrorKind::ArgumentConflict),
            ("switchboard token --room a --key k.pem", ErrorKind::MissingRequiredArgument),
            ("switchboard token --room a --ttl 1w", ErrorKind::ValueValidation),
            ("switchboard token --room a --key k.pem --algorithm none", ErrorKind::ValueValidation),
        ] {
            assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
        }
    }

    #[test]
    fn the_stun_responder_is_run_or_asked() {
        for (line, probe) in [("switchboard stun", false), ("switchboard stun --probe", true)] {
            assert_eq!(parse(line).unwrap().command, Some(Command::Stun(StunArguments { probe })), "{line}");
        }
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
