//! Why an ICE server is not known to work.

use std::{io, sync::Arc, time::Duration};

use rustls::CertificateError;

use crate::{outbound::TrustError, stun::ask::AskError, telemetry::IceOutcome};

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
        /// How long it was waited for; of a whole check `ice.check_timeout_ms`.
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
    /// It showed a certificate that proves nothing.
    #[error("its certificate does not verify: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: &'static str,
        /// The same with its details.
        source: rustls::Error,
    },
    /// Its name, as the URL has it, can be in no certificate.
    #[error("its certificate does not verify: no certificate can be for its name")]
    NoName,
    /// It answered the handshake with something else, or wants what is not good enough.
    #[error("it speaks no TLS that can be used")]
    Tls(#[source] rustls::Error),
    /// It ended the connection in the handshake.
    #[error("it ended the connection in the TLS handshake")]
    HungUp(#[source] io::Error),
    /// It was not asked: nobody may vouch for it.
    #[error("there are no certificates to verify its own by")]
    NoTrust(#[source] Arc<TrustError>),
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
            Self::Refused { .. } | Self::Unusable | Self::Tls(_) | Self::HungUp(_) => IceOutcome::Refused,
            Self::Certificate { .. } | Self::NoName | Self::NoTrust(_) => IceOutcome::Untrusted,
            // The second is what a write that takes too long is told on Linux.
            Self::Io(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                IceOutcome::Silent
            }
            Self::Io(_) => IceOutcome::Unreachable,
        }
    }

    /// The same as it is told of a check that might take `timeout` in all: what a part of it was waited for tells nobody anything.
    pub(super) fn within(self, timeout: Duration) -> Self {
        match self {
            Self::Silent { .. } => Self::Silent { timeout_ms: timeout.as_millis() },
            other => other,
        }
    }

    /// What TLS found.
    pub(super) fn of_tls(source: rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(error) = &source else { return Self::Tls(source) };
        let reason = match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "it is for another name"
            }
            // The latter: somebody has who calls itself as one who is.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "nobody who is trusted has signed it",
            _ => "it is not in order",
        };
        Self::Certificate { reason, source }
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
