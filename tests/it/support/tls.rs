//! TLS for tests: certificates of a signer of their own, servers that show them, and clients that know the signer.
//!
//! A client's connection is a plain one to a tunnel in this process, which speaks TLS with the server: so whatever is tested
//! without TLS can be tested with it.

use std::{
    fs,
    io::{self, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::Range,
    path::PathBuf,
    sync::{Arc, LazyLock},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{io::copy_bidirectional, runtime::Runtime};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    Builder, PATIENCE, TestPeer, TestServer,
    http::{Response, dial, read_response},
    temp_dir,
    ws::Handshake,
};

/// The name that certificates are for.
pub(crate) const NAME: &str = "meet.example";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A folder with a certificate and its key, and who has signed it.
pub(crate) struct Certificates {
    folder: Arc<TempDir>,
    signer: CertifiedIssuer<'static, KeyPair>,
}

impl Certificates {
    /// With a certificate that lasts for long.
    pub(crate) fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "the tests' signer");
        let signer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().expect("a key"));
        let certificates = Self { folder: temp_dir(), signer: signer.expect("a signer") };
        certificates.put(2100);
        certificates
    }

    /// Puts another one in its place, good until that year begins.
    pub(crate) fn put(&self, year: i32) {
        self.put_for(NAME, 1975..year);
    }

    /// The same for that name or IP address, and good from the begin of the first of these years.
    pub(crate) fn put_for(&self, name: &str, years: Range<i32>) {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.not_before = date_time_ymd(years.start, 1, 1);
        parameters.not_after = date_time_ymd(years.end, 1, 1);
        let certificate = parameters.signed_by(&key, &self.signer).expect("a certificate");
        for (name, text) in [("key.pem", key.serialize_pem()), ("cert.pem", certificate.pem())] {
            let aside = self.path("aside");
            fs::write(&aside, text).expect("written");
            fs::rename(aside, self.path(name)).expect("in its place");
        }
    }

    /// A file of the folder: `cert.pem`, `key.pem`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Who signs, as a file for other programs.
    pub(crate) fn signer_file(&self) -> PathBuf {
        let path = self.path("signer.pem");
        fs::write(&path, self.signer.pem()).expect("written");
        path
    }

    /// A server that shows it.
    pub(crate) fn server(&self) -> Builder {
        self.on(TestServer::builder())
    }

    /// The same of a server that is begun.
    pub(crate) fn on(&self, server: Builder) -> Builder {
        let files = ["cert.pem", "key.pem"].map(|name| self.path(name).display().to_string());
        server.set("tls.cert_file", &files[0]).set("tls.key_file", &files[1])
    }

    /// A client that knows the signer. It keeps the tickets that it is given.
    pub(crate) fn client(&self) -> Client {
        self.client_of(&[&TLS13, &TLS12])
    }

    /// One that speaks these versions.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion]) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.signer.der().clone()).expect("a signer");
        let builder = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into());
        let builder = builder.with_protocol_versions(versions).expect("versions");
        Client { config: Arc::new(builder.with_root_certificates(roots).with_no_client_auth()), name: NAME }
    }
}

/// Who connects.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) config: Arc<ClientConfig>,
    /// Asked for in the handshake, and sought in the certificate.
    pub(crate) name: &'static str,
}

/// A connection with TLS.
pub(crate) struct Secured {
    /// What is said here reaches the server.
    pub(crate) stream: TcpStream,
    pub(crate) version: Option<ProtocolVersion>,
    /// Whether a ticket has spared both sides the certificate.
    pub(crate) is_resumed: bool,
    pub(crate) protocol: Option<Vec<u8>>,
    /// What the server has shown, in DER.
    pub(crate) certificate: Vec<u8>,
}

impl Client {
    /// A connection that is made.
    #[track_caller]
    pub(crate) fn dial(&self, to: SocketAddr) -> Secured {
        self.try_dial(to).unwrap_or_else(|error| panic!("TLS with {to}: {error}"))
    }

    /// The same, where a refusal is no surprise.
    pub(crate) fn try_dial(&self, to: SocketAddr) -> io::Result<Secured> {
        self.over(dial(to))
    }

    /// On a connection that stands.
    pub(crate) fn over(&self, tcp: TcpStream) -> io::Result<Secured> {
        tcp.set_nonblocking(true)?;
        let (config, name) = (Arc::clone(&self.config), ServerName::try_from(self.name).expect("a name"));
        let secured: TlsStream<_> = RUNTIME.block_on(async {
            let tcp = tokio::net::TcpStream::from_std(tcp)?;
            tokio::time::timeout(PATIENCE, TlsConnector::from(config).connect(name, tcp)).await?
        })?;
        let said = secured.get_ref().1;
        let version = said.protocol_version();
        let is_resumed = said.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        let protocol = said.alpn_protocol().map(<[u8]>::to_vec);
        let certificate = said.peer_certificates().and_then(|all| all.first()).map(|one| one.to_vec());
        let stream = tunnel(secured)?;
        Ok(Secured { stream, version, is_resumed, protocol, certificate: certificate.unwrap_or_default() })
    }

    /// What a request with that `Host` is answered with.
    #[track_caller]
    pub(crate) fn get(&self, to: SocketAddr, path: &str, host: &str) -> Response {
        let mut stream = self.dial(to).stream;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").expect("sent");
        read_response(&mut BufReader::new(stream)).unwrap_or_else(|error| panic!("no answer to {path}: {error}"))
    }

    /// A peer that has heard its welcome.
    #[track_caller]
    pub(crate) fn connect(&self, server: &TestServer) -> TestPeer {
        let mut peer = TestPeer::open(self.dial(server.public).stream, &Handshake::new());
        peer.welcome = Some(peer.receive("welcome"));
        peer
    }

    /// A peer in that room.
    #[track_caller]
    pub(crate) fn join(&self, server: &TestServer, room: &str) -> TestPeer {
        let mut peer = self.connect(server);
        peer.join(room);
        peer
    }
}

/// The plain end of a tunnel through that connection.
fn tunnel(mut secured: TlsStream<tokio::net::TcpStream>) -> io::Result<TcpStream> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = dial(listener.local_addr()?);
    let (far, _) = listener.accept()?;
    far.set_nonblocking(true)?;
    far.set_nodelay(true)?;
    RUNTIME.spawn(async move {
        let Ok(mut far) = tokio::net::TcpStream::from_std(far) else { return };
        // Either end may fail: the other is then dropped, too.
        let _ = copy_bidirectional(&mut far, &mut secured).await;
    });
    Ok(near)
}
