//! What the server itself asks of others that its configuration names: the one HTTP client, and who may vouch for others over TLS.
//!
//! It asks only the host of the URL that it is given: it follows no redirect, and goes through no proxy, whatever variables the
//! environment has. Whoever it asks over TLS must prove who it is, to the certificates that this machine trusts or to those in a
//! file. It blocks: never call it on an arbiter's thread.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, client::Resumption, pki_types::CertificateDer};
use ureq::{
    Agent, http,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

/// How long a connection is kept for the next request. Many servers close one that was idle for 5 s; one that is closed in the
/// moment of a request would cost a second one.
const IDLE: Duration = Duration::from_secs(3);
/// Longest head of an answer, in bytes. What is of interest in it is a status and `Retry-After`.
const HEAD_BYTES: usize = 16 * 1024;

/// What a client is held to.
#[derive(Debug, Clone, Copy)]
pub struct OutboundLimits {
    /// From the look for the host's address to the end of the answer.
    pub timeout: Duration,
    /// Longest body of an answer that is read.
    pub answer_bytes: u64,
    /// Connections that are kept for the next request.
    pub idle_connections: usize,
}

/// Asks others, over HTTP/1.1. Clones share their connections.
#[derive(Debug, Clone)]
pub struct OutboundClient {
    agent: Agent,
    answer_bytes: u64,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    /// Any status, those of errors and redirects included.
    pub status: u16,
    /// `Retry-After`, as it was sent, where it is visible ASCII.
    pub retry_after: Option<String>,
}

/// Why the certificates that are to be trusted cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read.
    #[error("cannot read the certificates: {0}")]
    Read(#[from] io::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in PEM (BEGIN CERTIFICATE)")]
    Empty,
    /// What is there is in PEM, and none of it is a certificate that can vouch for anybody.
    #[error("none of the certificates can be read (X.509)")]
    Unusable,
    /// The library speaks no TLS of these versions.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// This machine trusts nobody.
    #[error("this machine has no trusted certificates (on Debian they are the package ca-certificates)")]
    NoneHere,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It took longer than it may.
    #[error("no answer in time")]
    Timeout,
    /// Its name has no address, or nobody could be reached there, or the connection was lost.
    #[error("cannot connect, or the connection was lost: {0}")]
    Unreachable(String),
    /// It could not prove who it is, or speaks no TLS that is good enough.
    #[error("TLS: {0}")]
    Tls(String),
    /// What came is no HTTP, or its head is too long.
    #[error("the answer is no HTTP that can be read: {0}")]
    Malformed(String),
}

impl OutboundClient {
    /// `ca_file`: the only certificates, in PEM, that may vouch for whoever is asked; empty: those of this machine, which are read
    /// only if `needs_tls`.
    ///
    /// # Errors
    /// There are none to be trusted.
    pub fn new(limits: OutboundLimits, ca_file: &Path, needs_tls: bool) -> Result<Self, TrustError> {
        let config = Agent::config_builder()
            .tls_config(tls(ca_file, needs_tls)?)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_global(Some(limits.timeout))
            .max_response_header_size(HEAD_BYTES)
            .max_idle_connections(limits.idle_connections)
            .max_idle_connections_per_host(limits.idle_connections)
            .max_idle_age(IDLE)
            .user_agent(concat!("switchboard/", env!("CARGO_PKG_VERSION")));
        Ok(Self { agent: config.build().new_agent(), answer_bytes: limits.answer_bytes })
    }

    /// Posts `body`. Of the answer's body no more is read than may be; whatever it says, the status stands.
    ///
    /// # Errors
    /// There was no answer, or none that can be read.
    pub fn post(&self, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, OutboundError> {
        let request = headers.iter().fold(self.agent.post(url), |request, (name, value)| request.header(*name, *value));
        let mut response = request.send(body).map_err(OutboundError::from)?;
        let retry_after = response.headers().get(http::header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| Some(value.to_str().ok()?.to_owned()));
        let status = response.status().as_u16();
        // Read to its end the connection can be used again; one that says more, or too slowly, is closed.
        let mut rest = response.body_mut().with_config().limit(self.answer_bytes).reader();
        let _ = io::copy(&mut rest, &mut io::sink());
        Ok(Answer { status, retry_after })
    }
}

/// What one goes by that speaks TLS without HTTP. `ca_file`: as for [`OutboundClient::new`].
///
/// No handshake spares the next one the certificate: whoever asks wants to know how it is now.
///
/// # Errors
/// There are none to be trusted.
pub fn client_config(ca_file: &Path) -> Result<ClientConfig, TrustError> {
    let found = roots(ca_file)?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.iter().map(|root| CertificateDer::from(root.der())));
    if roots.is_empty() {
        return Err(TrustError::Unusable);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(TrustError::Tls)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What an HTTP client goes by that speaks TLS. `ca_file` and `needs_tls` as for [`OutboundClient::new`].
///
/// # Errors
/// There are none to be trusted.
pub fn tls(ca_file: &Path, needs_tls: bool) -> Result<TlsConfig, TrustError> {
    let roots = if needs_tls { roots(ca_file)? } else { Vec::new() };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = TlsConfig::builder().root_certs(RootCerts::Specific(Arc::new(roots)));
    Ok(config.unversioned_rustls_crypto_provider(provider).build())
}

fn roots(ca_file: &Path) -> Result<Vec<Certificate<'static>>, TrustError> {
    if ca_file.as_os_str().is_empty() { of_this_machine() } else { in_file(ca_file) }
}

fn of_this_machine() -> Result<Vec<Certificate<'static>>, TrustError> {
    // What cannot be read among them is left out, as other programs do: another one may be enough.
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    if roots.is_empty() { Err(TrustError::NoneHere) } else { Ok(roots) }
}

fn in_file(path: &Path) -> Result<Vec<Certificate<'static>>, TrustError> {
    let pem = fs::read(path)?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let roots: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
    if roots.is_empty() { Err(TrustError::Empty) } else { Ok(roots) }
}

impl From<ureq::Error> for OutboundError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout,
            ureq::Error::Io(source) if source.kind() == io::ErrorKind::TimedOut => Self::Timeout,
            ureq::Error::Io(source) if is_tls(&source) => Self::Tls(source.to_string()),
            ureq::Error::Io(source) => Self::Unreachable(source.to_string()),
            ureq::Error::HostNotFound => Self::Unreachable("the host has no address".to_owned()),
            ureq::Error::ConnectionFailed => Self::Unreachable("connection failed".to_owned()),
            ureq::Error::Tls(what) => Self::Tls(what.to_owned()),
            ureq::Error::Rustls(source) => Self::Tls(source.to_string()),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// Whether TLS is behind an error of the connection.
fn is_tls(error: &io::Error) -> bool {
    let inner: Option<&(dyn std::error::Error + Send + Sync)> = error.get_ref();
    inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some()
}
