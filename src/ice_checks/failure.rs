//! Why an ICE server is not known to work.

use std::io;

use crate::{stun::ask::AskError, telemetry::IceOutcome};

/// 401, 403 and 441 (RFC 8656 section 18): the server is there, and does not take these credentials.
const DENIED: [u16; 3] = [401, 403, 441];

/// Why a check failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Its name has no address.
    #[error("its name was not resolved")]
    Unresolved(#[source] io::Error),
    /// Nothing came back in time.
    #[error("no answer within {timeout_ms} ms")]
    Silent {
        /// `ice.check_timeout_ms`.
        timeout_ms: u128,
    },
    /// An error response.
    #[error("it answered with error {code}")]
    Refused {
        /// RFC 8489 section 14.8, RFC 8656 section 18.
        code: u16,
    },
    /// What it answered has not what it was asked for.
    #[error("its answer has no address in it")]
    Unusable,
    /// The system could not send, or was told that nobody is there.
    #[error("it was not reached")]
    Io(#[from] io::Error),
}

impl Failure {
    /// The label.
    pub(super) fn outcome(&self) -> IceOutcome {
        match self {
            Self::Unresolved(_) => IceOutcome::Unresolved,
            Self::Silent { .. } => IceOutcome::Silent,
            Self::Refused { code } if DENIED.contains(code) => IceOutcome::Denied,
            Self::Refused { .. } | Self::Unusable => IceOutcome::Refused,
            Self::Io(error) if error.kind() == io::ErrorKind::TimedOut => IceOutcome::Silent,
            Self::Io(_) => IceOutcome::Unreachable,
        }
    }
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Silent { patience } => Self::Silent { timeout_ms: patience.as_millis() },
            AskError::Refused { code } => Self::Refused { code },
            AskError::NoAddress => Self::Unusable,
            AskError::Io(error) => Self::Io(error),
        }
    }
}
