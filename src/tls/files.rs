//! A certificate chain and its key, in PEM files.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::validity::Validity;
use crate::config::{Secret, TlsFiles};

/// Certificates in a chain: its own, and those between that and one that clients know.
const MOST: usize = 10;

/// Why there is no certificate. It shows nothing of what was found.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file has something else in it.
    #[error("cannot use {}: {what}", path.display())]
    Unfit {
        /// Which.
        path: PathBuf,
        /// What there should be.
        what: &'static str,
    },
}

/// A certificate that can be shown, and how long.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) validity: Validity,
    /// Another for other contents of the files.
    pub(super) stamp: u64,
}

/// What is in the files.
pub(super) struct Contents {
    chain: Vec<u8>,
    key: Secret,
}

impl Contents {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, CertificateError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CertificateError::Read { path, source }
        };
        let chain = fs::read(&files.cert).map_err(failed(&files.cert))?;
        let key = fs::read_to_string(&files.key).map(Secret::new).map_err(failed(&files.key))?;
        Ok(Self { chain, key })
    }

    pub(super) fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.chain, self.key.reveal()).hash(&mut hasher);
        hasher.finish()
    }

    /// The certificate, if the two belong together.
    pub(super) fn certificate(
        &self,
        files: &TlsFiles,
        provider: &CryptoProvider,
    ) -> Result<Certificate, CertificateError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.chain)
            .collect::<Result<_, _>>()
            .or_else(|_| unfit(&files.cert, "certificates in PEM are asked for"))?;
        let Some(own) = chain.first() else {
            return unfit(&files.cert, "there is no certificate in it (BEGIN CERTIFICATE)");
        };
        if chain.len() > MOST {
            return unfit(&files.cert, "a chain of at most 10 certificates is asked for, the server's own first");
        }
        let Some(validity) = Validity::of(own) else {
            return unfit(&files.cert, "its first certificate cannot be read");
        };
        let key = PrivateKeyDer::from_pem_slice(self.key.reveal().as_bytes())
            .or_else(|_| unfit(&files.key, "a private key in PEM is asked for, without a password"))?;
        let certified = CertifiedKey::from_der(chain, key, provider).or_else(|error| match error {
            rustls::Error::InconsistentKeys(_) => unfit(&files.key, "it is not the key of the certificate"),
            _ => unfit(&files.key, "an RSA key of 2048 bits at least, an ECDSA or an Ed25519 key is asked for"),
        })?;
        Ok(Certificate { certified: Arc::new(certified), validity, stamp: self.stamp() })
    }
}

fn unfit<T>(path: &Path, what: &'static str) -> Result<T, CertificateError> {
    Err(CertificateError::Unfit { path: path.to_owned(), what })
}
