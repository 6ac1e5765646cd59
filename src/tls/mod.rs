//! TLS for the listeners: the certificate in its files, and what a handshake goes by.
//!
//! | file | what |
//! |---|---|
//! | `files` | a chain and its key in PEM, read and compared |
//! | `validity` | from when to when a certificate is good |
//! | `certificates` | those of both listeners together |
//! | `acceptor` | what handshakes ask; the certificate in force, which can be replaced while the server runs |
mod acceptor;
mod certificates;
mod files;
mod validity;

pub use acceptor::TlsAcceptor;
pub use certificates::Certificates;
pub use files::CertificateError;
