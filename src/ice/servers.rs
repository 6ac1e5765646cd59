//! The list of ICE servers for one peer.

use std::{
    borrow::Cow,
    fmt::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use super::{
    credentials::mint,
    secret_files::{SecretFileError, SecretFiles},
};
use crate::{
    config::{Ice, Milliseconds, Stun, is_public_host},
    protocol::PeerId,
};

/// What every client is told of, as `[ice]` says. Shared by all threads.
#[derive(Clone)]
pub struct IceServers(Arc<Inner>);

struct Inner {
    list: List,
    /// `ice.credential_ttl_ms`.
    ttl: Duration,
    secrets: SecretFiles,
    /// Whether a client was told of the STUN responder at a public host that it used itself.
    told_at_public_host: AtomicBool,
}

enum List {
    /// The same for everybody, written once: a join pays for a copy of it and for nothing else.
    Same(String),
    /// Written for each peer.
    Made(Vec<Entry>),
}

enum Entry {
    /// An `RTCIceServer` as JSON.
    Same(String),
    /// The STUN server at the host that the client used, at this port; not there for a client whose host is not known.
    AtHost(u16),
    /// One that is reached with credentials made of a secret.
    Minted {
        /// Its `urls` as JSON.
        urls: String,
        /// Where the secret stands among all of them.
        secret: usize,
    },
}

/// Who a list is for.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// Its public name.
    pub peer: PeerId,
    /// The host that its handshake named, where it can stand in a URL as it is ([`Authority::url_host`]).
    ///
    /// [`Authority::url_host`]: crate::config::Authority::url_host
    pub host: Option<&'a str>,
    /// When what its token grants ends, if it came with one: its credentials do not outlast it.
    pub until: Option<Instant>,
    /// The present time.
    pub now: Instant,
}

/// What a peer is told.
#[derive(PartialEq, Eq)]
pub struct IceList<'a> {
    /// A JSON array of `RTCIceServer`.
    pub json: Cow<'a, str>,
    /// How long the credentials in it are good, in milliseconds; `None` where there are none that end.
    pub ttl_ms: Option<u64>,
}

impl IceServers {
    /// From the settings. The STUN responder of our own comes first: it is the nearest.
    ///
    /// # Errors
    /// A `secret_file` that cannot be read, or that has no secret in it.
    pub fn open(ice: &Ice, stun: &Stun) -> Result<Self, SecretFileError> {
        let mut paths = Vec::new();
        let entries = ice.servers.iter().map(|server| match &server.secret_file {
            None => Entry::Same(server.to_json()),
            Some(path) => {
                paths.push(path.clone());
                Entry::Minted { urls: server.urls.to_json(), secret: paths.len() - 1 }
            }
        });
        let entries: Vec<Entry> = own(stun).into_iter().chain(entries).collect();
        let list = if entries.iter().all(|entry| matches!(entry, Entry::Same(_))) {
            List::Same(write_list(&entries, None, |_, _, _| {}))
        } else {
            List::Made(entries)
        };
        let secrets = SecretFiles::open(paths)?;
        let told_at_public_host = AtomicBool::new(false);
        Ok(Self(Arc::new(Inner { list, ttl: ice.credential_ttl_ms.get(), secrets, told_at_public_host })))
    }

    /// What that peer is told.
    #[must_use]
    pub fn list_for(&self, recipient: Recipient<'_>) -> IceList<'_> {
        match &self.0.list {
            List::Same(json) => IceList { json: Cow::Borrowed(json), ttl_ms: None },
            List::Made(entries) => {
                let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                self.make(entries, recipient, since_epoch)
            }
        }
    }

    fn make(&self, entries: &[Entry], recipient: Recipient<'_>, since_epoch: Duration) -> IceList<'_> {
        self.note_host(entries, recipient.host);
        let left = recipient.until.map(|until| until.saturating_duration_since(recipient.now));
        let ttl = left.map_or(self.0.ttl, |left| left.min(self.0.ttl));
        // TURN servers count in seconds, and the one in which it ends is still good: nobody is let in for less than is told.
        let expiry = (since_epoch + ttl).as_secs();
        let secrets = self.0.secrets.secrets();
        let json = write_list(entries, recipient.host, |json, urls, secret| {
            let credentials = mint(&secrets[secret], recipient.peer, expiry);
            let (username, password) = (credentials.username, credentials.password);
            // Digits, a colon and base64: nothing of it has to be escaped.
            write!(json, r#"{{"credential":"{password}","urls":{urls},"username":"{username}"}}"#)
                .expect("a text takes every character");
        });
        let ends = !secrets.is_empty();
        IceList { json: Cow::Owned(json), ttl_ms: ends.then(|| Milliseconds::rounded_down(ttl).0) }
    }

    /// Whether any client was told of the STUN responder of our own at a host of its own use that is a public one: from then on some
    /// of those who ask the responder come from the internet.
    #[must_use]
    pub fn is_told_at_public_host(&self) -> bool {
        self.0.told_at_public_host.load(Ordering::Relaxed)
    }

    /// Once is enough, so that later lists pay for one load.
    fn note_host(&self, entries: &[Entry], host: Option<&str>) {
        let is_new = !self.is_told_at_public_host() && entries.iter().any(|entry| matches!(entry, Entry::AtHost(_)));
        if is_new && host.is_some_and(is_public_host) {
            self.0.told_at_public_host.store(true, Ordering::Relaxed);
        }
    }

    /// Looks at the files of the secrets again. Whether any has another one, which is in force now; on an error all is as before.
    ///
    /// # Errors
    /// As [`IceServers::open`].
    pub fn look_again(&self) -> Result<bool, SecretFileError> {
        self.0.secrets.look_again()
    }
}

impl fmt::Debug for IceServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the list: there are credentials in it.
        f.write_str("IceServers")
    }
}

/// The STUN responder of our own, where there is one.
fn own(stun: &Stun) -> Option<Entry> {
    let Stun { port, public_host, .. } = stun;
    match (*port, public_host.as_str()) {
        (0, _) => None,
        (port, "") => Some(Entry::AtHost(port)),
        (port, host) => Some(Entry::Same(stun_server(host, port))),
    }
}

/// A host that can stand in a URL has nothing in it that JSON has to escape.
fn stun_server(host: &str, port: u16) -> String {
    format!(r#"{{"urls":"stun:{host}:{port}"}}"#)
}

/// A JSON array. `minted` writes what is made for a peer, told its `urls` and its secret.
fn write_list(entries: &[Entry], host: Option<&str>, minted: impl Fn(&mut String, &str, usize)) -> String {
    let mut json = String::from("[");
    for entry in entries {
        let at_host = match (entry, host) {
            (Entry::AtHost(_), None) => continue,
            (Entry::AtHost(port), Some(host)) => stun_server(host, *port),
            _ => String::new(),
        };
        if json.len() > 1 {
            json.push(',');
        }
        match entry {
            Entry::AtHost(_) => json.push_str(&at_host),
            Entry::Same(server) => json.push_str(server),
            Entry::Minted { urls, secret } => minted(&mut json, urls, *secret),
        }
    }
    json.push(']');
    json
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::Secret;

    const PEER: &str = "3f1c9a52d07e4b6f8a1b2c3d4e5f6071";
    const SECRET: &str = "north-by-north-west";
    const EPOCH: Duration = Duration::from_millis(1_796_000_000_900);

    fn recipient(until_ms: Option<u64>) -> Recipient<'static> {
        let now = Instant::now();
        let until = until_ms.map(|ms| now + Duration::from_millis(ms));
        Recipient { peer: PeerId::parse(PEER).expect("a canonical id"), until, host: Some("a.example"), now }
    }

    fn servers(json: &Value) -> IceServers {
        let ice = Ice { servers: serde_json::from_value(json.clone()).expect("a good list"), ..Ice::default() };
        IceServers::open(&ice, &Stun::default()).expect("good files")
    }

    #[test]
    fn where_nothing_is_made_all_get_the_same_text_and_no_copy_of_it() {
        for list in [
            json!([]),
            json!([{"urls": "stun:a.example"}, {"credential": "c", "urls": ["turn:b.example"], "username": "u"}]),
        ] {
            let servers = servers(&list);
            let told = servers.list_for(recipient(Some(5)));
            let wanted = list.to_string();
            assert!(matches!(told.json, Cow::Borrowed(text) if text == wanted), "{}", told.json);
            assert_eq!(told.ttl_ms, None);
            assert!(!servers.look_again().expect("there are no files"));
        }
    }

    #[test]
    fn the_stun_responder_is_told_at_its_public_host_or_at_the_one_that_the_client_used() {
        let list = json!([{"urls": "stun:b.example"}]);
        let ice = Ice { servers: serde_json::from_value(list.clone()).expect("a good list"), ..Ice::default() };
        let told = |public_host: &str, host: Option<&'static str>| {
            let stun = Stun { port: 3478, public_host: public_host.to_owned(), ..Stun::default() };
            let servers = IceServers::open(&ice, &stun).expect("no files");
            let told = servers.list_for(Recipient { host, ..recipient(Some(5)) });
            assert_eq!(told.ttl_ms, None, "nothing in it ends");
            (serde_json::from_str::<Value>(&told.json).expect("JSON"), matches!(told.json, Cow::Borrowed(_)))
        };
        let both = |url: &str| json!([{"urls": url}, {"urls": "stun:b.example"}]);
        assert_eq!(told("rooms.example", Some("c.example")), (both("stun:rooms.example:3478"), true));
        assert_eq!(told("", Some("c.example")), (both("stun:c.example:3478"), false));
        assert_eq!(told("", Some("[2001:db8::7]")), (both("stun:[2001:db8::7]:3478"), false));
        assert_eq!(told("", None), (list, false), "it is not known where");
    }

    #[test]
    fn what_is_made_is_for_one_peer_and_ends_with_the_ttl_or_the_grant() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("turn");
        fs::write(&path, SECRET).expect("written");
        let servers = servers(&json!([
            {"urls": "stun:a.example"},
            {"urls": ["turn:b.example", "turns:b.example?transport=tcp"], "secret_file": path},
        ]));
        let List::Made(entries) = &servers.0.list else { panic!("it is made for each peer") };
        let told = |until_ms| {
            let list = servers.make(entries, recipient(until_ms), EPOCH);
            (serde_json::from_str::<Value>(&list.json).expect("JSON"), list.ttl_ms)
        };
        for (until_ms, ttl_ms, expiry) in [
            (None, 43_200_000, 1_796_043_200),
            (Some(600_099), 600_099, 1_796_000_600),
            (Some(600_100), 600_100, 1_796_000_601),
            (Some(86_400_000), 43_200_000, 1_796_043_200),
            (Some(0), 0, 1_796_000_000),
        ] {
            let peer = PeerId::parse(PEER).expect("a canonical id");
            let made = mint(&Secret::new(SECRET.to_owned()), peer, expiry);
            let wanted = json!([
                {"urls": "stun:a.example"},
                {
                    "urls": ["turn:b.example", "turns:b.example?transport=tcp"],
                    "username": format!("{expiry}:{PEER}"),
                    "credential": made.password,
                },
            ]);
            assert_eq!(told(until_ms), (wanted, Some(ttl_ms)), "{until_ms:?}");
        }
        let before = told(None);
        fs::write(&path, "another-secret-of-its-own").expect("written");
        assert_eq!(told(None), before, "nobody has looked yet");
        assert!(servers.look_again().expect("a good file"));
        assert_ne!(told(None).0[1]["credential"], before.0[1]["credential"]);
    }
}
