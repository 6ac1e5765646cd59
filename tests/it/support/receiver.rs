//! A receiver of webhooks: a real server on a free port, plain or over TLS, that writes down what it gets and answers as it is told.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::Value;
use standardwebhooks::Webhook;
use tempfile::TempDir;
use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::{Builder, PATIENCE, TestServer, eventually, temp_dir};

/// What the tests' events are signed with.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// One request, checked.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// `webhook-id`.
    pub(crate) id: String,
    /// As it came.
    pub(crate) text: String,
    /// The same, read.
    pub(crate) body: Value,
    /// The path it was sent to.
    pub(crate) path: String,
}

impl Delivery {
    /// The event's name, with its room: `peer_joined blue`.
    pub(crate) fn name(&self) -> String {
        let text = |field: &str| self.body[field].as_str().unwrap_or_default();
        format!("{} {}", text("event"), text("room"))
    }

    /// The event's number.
    pub(crate) fn sequence(&self) -> u64 {
        self.body["sequence"].as_u64().expect("a number")
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// That status, with these further lines of its head.
    Status(u16, &'static str),
    /// That status once the receiver is told to go on (see [`Receiver::release`]).
    Held(u16),
    /// So many bytes in the body of a 200.
    Long(usize),
    /// Nothing: the connection is closed.
    HangUp,
}

type Script = Box<dyn Fn(&Delivery) -> Answer + Send + Sync>;

/// What its connections share.
struct Shared {
    got: Mutex<Vec<Delivery>>,
    script: Mutex<Script>,
    released: Mutex<bool>,
    secret: Mutex<String>,
    tls: Option<Arc<ServerConfig>>,
}

/// A receiver. It goes on in the background for as long as the test runs.
pub(crate) struct Receiver {
    shared: Arc<Shared>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    folder: Arc<TempDir>,
}

impl Receiver {
    /// Takes everything.
    pub(crate) fn start() -> Self {
        Self::with(|_| Answer::Status(204, ""))
    }

    /// Answers as `script` says.
    pub(crate) fn with(script: impl Fn(&Delivery) -> Answer + Send + Sync + 'static) -> Self {
        Self::run(Box::new(script), temp_dir(), None)
    }

    /// Takes everything, over TLS, with a certificate for `localhost` by an authority of its own ([`Receiver::ca_file`]).
    pub(crate) fn over_tls() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        let folder = temp_dir();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).expect("written");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate");
        Self::run(Box::new(|_| Answer::Status(204, "")), folder, Some(Arc::new(config)))
    }

    fn run(script: Script, folder: Arc<TempDir>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            script: Mutex::new(script),
            released: Mutex::default(),
            secret: Mutex::new(SECRET.to_owned()),
            tls,
        });
        std::fs::write(folder.path().join("secret"), SECRET).expect("written");
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                thread::spawn(move || match &shared.tls {
                    None => shared.serve(stream),
                    Some(tls) => {
                        let connection = ServerConnection::new(Arc::clone(tls)).expect("a configuration");
                        shared.serve(StreamOwned::new(connection, stream));
                    }
                });
            }
        });
        Self { shared, address, folder }
    }

    /// A server that posts to it.
    pub(crate) fn server(&self) -> Builder {
        let host = if self.shared.tls.is_some() { "https://localhost" } else { "http://127.0.0.1" };
        TestServer::set("webhooks.url", format!("{host}:{}/in", self.address.port()))
            .set("webhooks.secret_file", self.secret_file().display())
            .set("server.node", "node-a")
    }

    /// Where the secret is.
    pub(crate) fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    /// Where the certificate of its authority is.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Signatures are checked by that secret from now on.
    pub(crate) fn expect_secret(&self, secret: &str) {
        secret.clone_into(&mut self.shared.secret.lock().unwrap());
    }

    /// Answers as that says from now on.
    pub(crate) fn now(&self, script: impl Fn(&Delivery) -> Answer + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Whoever is held is answered.
    pub(crate) fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
    }

    /// All that it got so far.
    pub(crate) fn got(&self) -> Vec<Delivery> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Waits until `enough` of what it got is there.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, enough: impl Fn(&[Delivery]) -> Option<T>) -> T {
        eventually(what, || {
            let got = self.got();
            enough(&got).ok_or_else(|| format!("{:?}", got.iter().map(|one| &one.text).collect::<Vec<_>>()))
        })
    }

    /// Waits until it got these, and says what they are.
    #[track_caller]
    pub(crate) fn wait_for_names(&self, room: &str, names: &[&str]) -> Vec<Delivery> {
        let wanted: Vec<_> = names.iter().map(|name| format!("{name} {room}")).collect();
        self.wait_for(&format!("{names:?} in {room}"), |got| {
            let of_room: Vec<_> = got.iter().filter(|one| one.body["room"] == *room).cloned().collect();
            (of_room.iter().map(Delivery::name).collect::<Vec<_>>() == wanted).then_some(of_room)
        })
    }
}

impl Shared {
    /// Reads requests, one after the other, and answers them.
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Some((path, headers, body)) = request(&mut stream) {
            let delivery = self.check(path, &headers, body);
            let answer = (self.script.lock().unwrap())(&delivery);
            self.got.lock().unwrap().push(delivery);
            let out = stream.get_mut();
            let sent = match answer {
                Answer::HangUp => return,
                Answer::Status(status, head) => {
                    write!(out, "HTTP/1.1 {status} \r\n{head}content-length: 0\r\n\r\n").and_then(|()| out.flush())
                }
                Answer::Held(status) => {
                    eventually_released(&self.released);
                    write!(out, "HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n").and_then(|()| out.flush())
                }
                Answer::Long(bytes) => {
                    let body = "x".repeat(bytes);
                    write!(out, "HTTP/1.1 200 \r\ncontent-length: {bytes}\r\n\r\n{body}").and_then(|()| out.flush())
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Everything that any request must be.
    fn check(&self, path: String, headers: &BTreeMap<String, String>, body: Vec<u8>) -> Delivery {
        assert_eq!(headers["content-type"], "application/json");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"));
        }
        let secret = self.secret.lock().unwrap().clone();
        let checked = Webhook::new(&secret).expect("a secret").verify(&body, &map);
        checked.unwrap_or_else(|error| panic!("{error}: {headers:?}"));
        let text = String::from_utf8(body).expect("UTF-8");
        let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"));
        Delivery { id: headers["webhook-id"].clone(), text, body, path }
    }
}

/// Waits until the receiver is told to go on; not for ever, or a test that fails would never end.
fn eventually_released(released: &Mutex<bool>) {
    let deadline = std::time::Instant::now() + 3 * PATIENCE;
    while !*released.lock().unwrap() && std::time::Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
}

/// The next request; `None`: the client has hung up.
fn request(stream: &mut impl BufRead) -> Option<(String, BTreeMap<String, String>, Vec<u8>)> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let path = first.strip_prefix("POST ").and_then(|rest| rest.split(' ').next()).expect("a POST").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers["content-length"].parse().expect("a length");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((path, headers, body))
}
