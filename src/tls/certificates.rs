//! The certificates of both listeners.

use std::time::SystemTime;

use super::{acceptor::TlsAcceptor, files::CertificateError};
use crate::config::Settings;

/// What each listener's handshakes go by; `None` where it speaks plain HTTP. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The public one's.
    pub public: Option<TlsAcceptor>,
    /// The operators'.
    pub ops: Option<TlsAcceptor>,
}

impl Certificates {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn open(settings: &Settings) -> Result<Self, CertificateError> {
        let open = |files| TlsAcceptor::open(files, settings.tls.min_version);
        Ok(Self {
            public: settings.tls.files().map(open).transpose()?,
            ops: settings.ops.tls_files().map(open).transpose()?,
        })
    }

    /// When each ends, the public listener's first.
    #[must_use]
    pub fn ends(&self) -> [Option<SystemTime>; 2] {
        [&self.public, &self.ops].map(|one| one.as_ref().map(TlsAcceptor::ends))
    }

    /// What is wrong with those in force at that time.
    pub fn doubts(&self, now: SystemTime) -> impl Iterator<Item = String> {
        self.all().filter_map(move |one| one.doubt(now))
    }

    /// Looks at all files again. Whether any has changed, and is in force now; those that cannot be used change nothing.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn look_again(&self) -> Result<bool, CertificateError> {
        let looks: Vec<_> = self.all().map(TlsAcceptor::look_again).collect();
        looks.into_iter().try_fold(false, |changed, look| Ok(changed | look?))
    }

    /// From now on those of `other` are in force, each where both have one: whether a listener speaks TLS is decided at the
    /// start. The keys of which this was so, and those that ask for a restart.
    pub fn become_like(&self, other: &Self) -> (Vec<&'static str>, Vec<&'static str>) {
        let (mut changed, mut restart) = (Vec::new(), Vec::new());
        let pairs = [
            (["tls.cert_file", "tls.key_file"], &self.public, &other.public),
            (["ops.tls_cert_file", "ops.tls_key_file"], &self.ops, &other.ops),
        ];
        for (keys, mine, theirs) in pairs {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => {
                    if mine.become_like(theirs) {
                        changed.push(keys[0]);
                    }
                }
                (None, None) => {}
                _ => restart.extend(keys),
            }
        }
        (changed, restart)
    }

    fn all(&self) -> impl Iterator<Item = &TlsAcceptor> {
        self.public.iter().chain(&self.ops)
    }
}
