//! TLS between a peer and its socket. Nothing waits here: what was read is decrypted at once, and what is encrypted is written as far
//! as the socket takes it.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    path::Path,
    sync::Arc,
};

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use switchboard::outbound;

use super::peer::Moved;

/// How peers speak TLS: the server's certificate is for the address that is asked, and no handshake spares the next one anything.
#[derive(Debug, Clone)]
pub struct Secure(Arc<ClientConfig>);

impl Secure {
    /// `ca_file`: who may vouch for the server, in PEM.
    ///
    /// # Errors
    /// There is nobody in it.
    pub fn new(ca_file: &Path) -> io::Result<Self> {
        outbound::client_config(ca_file).map(|config| Self(Arc::new(config))).map_err(io::Error::other)
    }

    pub(super) fn connection(&self, target: SocketAddr) -> io::Result<Session> {
        let name = ServerName::IpAddress(target.ip().into());
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        // What waits is bounded by the scenario, as it is without TLS.
        connection.set_buffer_limit(None);
        Ok(Session(Box::new(connection)))
    }
}

/// That of one socket.
#[derive(Debug)]
pub(super) struct Session(Box<ClientConnection>);

impl Session {
    /// Takes `plain`, and writes what is encrypted.
    pub(super) fn write(&mut self, socket: &mut TcpStream, plain: &[u8]) -> io::Result<()> {
        self.0.writer().write_all(plain)?;
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads into `buffer`. Whoever is told of bytes asks again: more may be decrypted already.
    pub(super) fn read(&mut self, socket: &mut TcpStream, buffer: &mut [u8]) -> (usize, Moved) {
        loop {
            match self.0.reader().read(buffer) {
                Ok(0) => return (0, Moved::Gone),
                Ok(n) => return (n, Moved::Filled),
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return (0, Moved::Gone),
            }
            match self.0.read_tls(socket) {
                Ok(0) => return (0, Moved::Gone),
                Ok(_) => {
                    let read = self.0.process_new_packets();
                    // The handshake goes on, and what waited for its end.
                    let written = self.write(socket, &[]);
                    if read.is_err() || written.is_err() {
                        return (0, Moved::Gone);
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return (0, Moved::Drained);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return (0, Moved::Gone),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, net::TcpListener, thread, time::Instant};

    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

    use super::*;

    /// A signer in a file of that folder, and a server for 127.0.0.1 whose certificate it has signed.
    fn server(folder: &Path) -> (std::path::PathBuf, ServerConfig) {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let signer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let ca_file = folder.join("signer.pem");
        fs::write(&ca_file, signer.pem()).unwrap();
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &signer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        (ca_file, builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }

    /// What comes back from a server that sends everything back, until it is as much or the connection is gone.
    fn echoed(ca_file: &Path, config: ServerConfig, sent: &[u8]) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let tcp = listener.accept().unwrap().0;
            let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp);
            let mut buffer = [0; 4096];
            while let Ok(n) = stream.read(&mut buffer) {
                if n == 0 || stream.write_all(&buffer[..n]).is_err() {
                    return;
                }
            }
        });
        let tcp = std::net::TcpStream::connect(target).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let mut socket = TcpStream::from_std(tcp);
        let mut session = Secure::new(ca_file).unwrap().connection(target).unwrap();
        // Before the handshake has begun: it goes out behind it.
        session.write(&mut socket, sent).unwrap();
        let (mut received, mut buffer, begun) = (Vec::new(), vec![0; 1 << 16], Instant::now());
        while received.len() < sent.len() {
            assert!(begun.elapsed().as_secs() < 20, "{} of {} bytes came back", received.len(), sent.len());
            match session.read(&mut socket, &mut buffer) {
                (_, Moved::Gone) => break,
                (0, _) => {
                    session.write(&mut socket, &[]).unwrap();
                    thread::yield_now();
                }
                (n, _) => received.extend_from_slice(&buffer[..n]),
            }
        }
        drop((session, socket));
        server.join().unwrap();
        received
    }

    #[test]
    fn what_is_sent_arrives_whole_and_only_at_a_server_that_is_vouched_for() {
        let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (ca_file, config) = server(home.path());
        let sent: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
        assert!(echoed(&ca_file, config.clone(), &sent) == sent);
        let (other, _) = server(other.path());
        assert!(echoed(&other, config, &sent).is_empty());
        assert!(Secure::new(&home.path().join("none")).is_err());
    }
}
