//! What handshakes ask.

use std::{
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
    time::SystemTime,
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs::{self, Ticketer},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use super::files::{Certificate, CertificateError, Contents};
use crate::config::{TlsFiles, TlsVersion};

/// What is spoken inside (RFC 7301): who can only speak something else is told so by an alert.
const HTTP_1_1: &[u8] = b"http/1.1";

/// A listener's TLS. Cloning shares it.
///
/// Shared between threads on purpose: every worker asks it, for each handshake, and whoever finds other files replaces the
/// certificate. Connections that stand are not concerned: a certificate is looked at in a handshake only.
#[derive(Debug, Clone)]
pub struct TlsAcceptor {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

#[derive(Debug)]
struct Current(RwLock<InForce>);

#[derive(Debug)]
struct InForce {
    files: Arc<TlsFiles>,
    certificate: Arc<Certificate>,
}

impl ResolvesServerCert for Current {
    /// Whatever name is asked for: there is one certificate, and a client sees whether it is the right one.
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.read().certificate.certified))
    }
}

impl Current {
    fn read(&self) -> RwLockReadGuard<'_, InForce> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TlsAcceptor {
    /// Reads the files. TLS of that version and later is spoken.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn open(files: TlsFiles, least: TlsVersion) -> Result<Self, CertificateError> {
        let provider = aws_lc_rs::default_provider();
        let certificate = Contents::read(&files)?.certificate(&files, &provider)?;
        let versions = match least {
            TlsVersion::Tls12 => &[&TLS13, &TLS12][..],
            TlsVersion::Tls13 => &[&TLS13],
        };
        let current =
            Arc::new(Current(RwLock::new(InForce { files: Arc::new(files), certificate: Arc::new(certificate) })));
        let unusable = |_| CertificateError::Unfit {
            path: current.read().files.cert.clone(),
            what: "the TLS library takes none of its versions",
        };
        let builder = ServerConfig::builder_with_provider(provider.into()).with_protocol_versions(versions);
        let builder = builder.map_err(unusable)?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // Who comes back shows a ticket, and neither side signs anything. The client keeps it; here there are two keys, which
        // are new every six hours, and nothing for each client.
        config.ticketer = Ticketer::new().map_err(unusable)?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), current })
    }

    /// What a handshake goes by.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// When the certificate in force ends.
    #[must_use]
    pub fn ends(&self) -> SystemTime {
        self.current.read().certificate.validity.ends
    }

    /// What is wrong with the certificate in force at that time, if something is.
    #[must_use]
    pub fn doubt(&self, now: SystemTime) -> Option<String> {
        let in_force = self.current.read();
        let (path, validity) = (in_force.files.cert.display(), in_force.certificate.validity);
        if validity.ends <= now {
            return Some(format!("the certificate in {path} has expired: no client takes it"));
        }
        (now < validity.begins).then(|| format!("the certificate in {path} is not good yet: no client takes it"))
    }

    /// Looks at the files again. Whether any has changed, and is in force now; on an error all is as before.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn look_again(&self) -> Result<bool, CertificateError> {
        let (files, before) = self.both();
        let contents = Contents::read(&files)?;
        if contents.stamp() == before.stamp {
            return Ok(false);
        }
        let changed = contents.certificate(&files, self.config.crypto_provider())?;
        let mut in_force = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        // While the files were read, other ones may have been named.
        let is_current = Arc::ptr_eq(&in_force.files, &files);
        if is_current {
            in_force.certificate = Arc::new(changed);
        }
        Ok(is_current)
    }

    /// From now on the certificate of `other` is in force, and the files that it names are looked at. Versions and tickets
    /// stay as they are. Says whether it is another.
    pub fn become_like(&self, other: &Self) -> bool {
        let (files, certificate) = other.both();
        let mut in_force = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_another = in_force.certificate.stamp != certificate.stamp;
        *in_force = InForce { files, certificate };
        is_another
    }

    fn both(&self) -> (Arc<TlsFiles>, Arc<Certificate>) {
        let in_force = self.current.read();
        (Arc::clone(&in_force.files), Arc::clone(&in_force.certificate))
    }
}

#[cfg(test)]
mod tests;
