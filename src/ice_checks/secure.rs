//! TLS on a stream, for `stuns:` and `turns:` (RFC 7064 and RFC 7065 section 3.1), driven by hand: each wait has its own end.

use std::{
    cell::OnceCell,
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

use super::failure::Failure;
use crate::outbound::{self, TrustError};

type Config = Result<Arc<ClientConfig>, Arc<TrustError>>;

/// Who may vouch for servers, in one round of checks. What is in the files is read when the first of them is asked over TLS, and anew in
/// each round: who renews them restarts nothing.
pub(super) struct Trust<'a> {
    /// `ice.ca_file`; empty: what this machine trusts.
    ca_file: &'a Path,
    config: OnceCell<Config>,
}

impl<'a> Trust<'a> {
    pub(super) fn new(ca_file: &'a Path) -> Self {
        Self { ca_file, config: OnceCell::new() }
    }

    /// Reads what is in the files, if that was not done yet.
    ///
    /// # Errors
    /// There is nobody to vouch for a server.
    pub(super) fn read(&self) -> Result<(), Failure> {
        self.config().map(|_| ())
    }

    fn config(&self) -> Result<Arc<ClientConfig>, Failure> {
        let read = || outbound::client_config(self.ca_file).map(Arc::new).map_err(Arc::new);
        self.config.get_or_init(read).clone().map_err(Failure::NoTrust)
    }
}

/// A stream that is encrypted, to a server that has proved who it is.
pub(super) struct SecureStream {
    tls: Box<ClientConnection>,
    tcp: TcpStream,
}

impl SecureStream {
    /// The handshake, within `patience`. `host` is the name or the address that has to be in the certificate (RFC 8489 section 6.2.3).
    ///
    /// # Errors
    /// There is nobody to vouch for it, it is another one, or it speaks no TLS.
    pub(super) fn over(tcp: TcpStream, host: &str, trust: &Trust<'_>, patience: Duration) -> Result<Self, Failure> {
        let until = Instant::now() + patience;
        let config = trust.config()?;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Failure::NoName)?;
        let tls = ClientConnection::new(config, name).map_err(Failure::of_tls)?;
        let mut stream = Self { tls: Box::new(tls), tcp };
        stream.write_records()?;
        while stream.tls.is_handshaking() {
            if until.saturating_duration_since(Instant::now()).is_zero() {
                return Err(Failure::Silent { timeout_ms: patience.as_millis() });
            }
            stream.read_records(until).map_err(|failure| match failure {
                // Who reads a handshake and does not know what that is hangs up.
                Failure::Io(error) if has_hung_up(error.kind()) => Failure::HungUp(error),
                other => other,
            })?;
        }
        Ok(stream)
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.tls.writer().write_all(bytes)?;
        self.write_records()
    }

    /// What came within `wait`; `None` if nothing did.
    pub(super) fn receive(&mut self, buffer: &mut [u8], wait: Duration) -> Result<Option<usize>, Failure> {
        let until = Instant::now() + wait;
        loop {
            match self.tls.reader().read(buffer) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(length) => return Ok(Some(length)),
                // Nothing of it is decrypted yet. A record may be a session ticket, and have nothing in it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if until.saturating_duration_since(Instant::now()).is_zero() {
                return Ok(None);
            }
            self.read_records(until)?;
        }
    }

    /// Reads once, at the latest until then, and answers what asks for an answer.
    fn read_records(&mut self, until: Instant) -> Result<(), Failure> {
        let left = until.saturating_duration_since(Instant::now());
        self.tcp.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        match self.tls.read_tls(&mut self.tcp) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
        let read = self.tls.process_new_packets();
        // What is wrong is told, if there is still somebody to tell it to: the other side's log names it, too.
        let written = self.write_records();
        read.map_err(Failure::of_tls)?;
        written
    }

    fn write_records(&mut self) -> Result<(), Failure> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.tcp)?;
        }
        Ok(())
    }
}

fn has_hung_up(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
