//! Why the server did not start.

use std::{io, path::PathBuf};

use crate::{
    auth::KeyFileError, ice::SecretFileError, nodes::ClusterError, tls::CertificateError, webhooks::WebhookError,
};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener could not be opened.
    #[error("cannot listen on {address} ({key}): {source}")]
    Listen {
        /// What was tried.
        address: String,
        /// The keys that say so.
        key: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The catalogue declares a series that Prometheus does not take: a defect, found at the start.
    #[error("cannot register the metrics: {0}")]
    Metrics(prometheus::Error),
    /// The operator's token is configured and not there.
    #[error("cannot read the token in {} (ops.token_file): {source}", path.display())]
    Token {
        /// What was tried.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The keys for join tokens are configured and not there.
    #[error("{0} (auth.keys, auth.jwks_file)")]
    Keys(#[from] KeyFileError),
    /// A certificate is configured and not there.
    #[error("{0} (tls.cert_file, tls.key_file, ops.tls_cert_file, ops.tls_key_file)")]
    Certificate(#[from] CertificateError),
    /// The secrets for ephemeral TURN credentials are configured and not there.
    #[error("{0} (ice.servers)")]
    IceSecret(#[from] SecretFileError),
    /// Webhooks are configured, and something they need is not there.
    #[error(transparent)]
    Webhooks(#[from] WebhookError),
    /// Rooms are to span nodes, and something that this needs is not there.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The folder of what outlives the process is another's.
    #[error(
        "another process uses {} (state.dir), where server.handover leaves sessions for the next start; give each server a folder of \
         its own, and start the next one when this one has ended",
        dir.display()
    )]
    StateInUse {
        /// Which.
        dir: PathBuf,
    },
    /// Threads, signals, the log.
    #[error("cannot start {what}: {source}")]
    Machine {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}
