//! `[ice]`: the STUN and TURN servers that `joined.iceServers` hands to clients.

use std::path::PathBuf;

use config::{Map, Value, ValueKind};
use serde::{Deserialize, Serialize};

use super::{
    authority::Authority,
    kind::{DAY_MS, Kind, ValueError, name_of_type},
    milliseconds::Milliseconds,
    secret::Secret,
    section::section,
    server::is_url_host,
    tls::FILE,
};

/// What `ice.servers` takes.
const ALLOWED: &str = "a list of { urls, username?, credential?, secret_file? } (in a variable: as JSON)";
/// What `urls` takes.
const URLS: &str =
    "stun:HOST[:PORT], stuns:HOST[:PORT], turn:HOST[:PORT][?transport=udp or tcp] or turns:…, or a list of them";

section! {
    /// Servers that help two peers to find a way to each other. They go to browsers as `joined.iceServers`.
    Ice = "ice" {
        /// STUN and TURN servers, as WebRTC's `RTCIceServer`: `urls` (a text or a list), for TURN either `username` and
        /// `credential`, which are everybody's and do not end, or `secret_file`: then each peer gets credentials of its own, which
        /// end. The first line of that file is a secret that the TURN server knows, too (coturn: `use-auth-secret`); 16 or more
        /// visible ASCII characters. It is looked at every 2 s, and taken over when it has changed.
        /// None by default: on one network none is needed, and any other would send addresses to somebody's server.
        /// Example: `[{ urls = "stun:a.example" }, { urls = ["turn:b.example"], secret_file = "/run/secrets/turn" }]`
        servers: Vec<IceServer> = Vec::new(), Kind::Parts { check, allowed: ALLOWED };

        /// Time between two rounds in which the server asks each of them, as a client would; 0: never.
        /// A TURN server gives an address for that, and takes it back at once. A minute is soon enough to tell before many calls
        /// fail, and seldom enough to be no load.
        check_interval_ms: Milliseconds = Milliseconds(60_000), Kind::milliseconds(0).usual(5000, 3_600_000);

        /// How long one of them may take to give what it is asked for; half of it, at most, for the address of its name.
        /// 5 s are several repetitions of a lost datagram; who waits for a call waits no longer.
        check_timeout_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(10).usual(1000, 60_000);

        /// File with the certificates, in PEM, that may vouch for `stuns:` and `turns:` servers when this server asks them; empty:
        /// those that this machine trusts. Browsers go by their own: an authority of yours that is named here they have to know.
        ca_file: PathBuf = PathBuf::new(), FILE;

        /// Time for which credentials that are made with a `secret_file` let their peer in; but no longer than its join token
        /// holds. Clients are told (`joined.iceTtlMs`), and ask for others before it is over.
        /// 12 h outlast the meetings of a day for clients that do not ask; whoever gets hold of some may relay for as long.
        credential_ttl_ms: Milliseconds = Milliseconds(43_200_000), Kind::milliseconds(1000).usual(600_000, DAY_MS);
    }
}

/// One entry of `ice.servers`: WebRTC's `RTCIceServer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IceServer {
    /// Where it is.
    pub urls: Urls,
    /// Who asks; for TURN, where there is no `secret_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password for it; for TURN, where there is no `secret_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Secret>,
    /// Where the secret is that credentials are made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
}

impl IceServer {
    /// As JSON: an `RTCIceServer`, its credential included, `urls` as they were given.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut server = serde_json::Map::new();
        server.insert("urls".to_owned(), self.urls.to_value());
        if let Some(username) = &self.username {
            server.insert("username".to_owned(), username.as_str().into());
        }
        if let Some(credential) = &self.credential {
            server.insert("credential".to_owned(), credential.reveal().into());
        }
        serde_json::Value::from(server).to_string()
    }
}

/// `urls` of an ICE server, in the shape it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Urls {
    /// A text.
    One(String),
    /// A list of texts.
    Many(Vec<String>),
}

impl Urls {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    fn to_value(&self) -> serde_json::Value {
        match self {
            Self::One(url) => url.as_str().into(),
            Self::Many(urls) => urls.as_slice().into(),
        }
    }
}

/// Checks the whole list. A refusal shows no value, only types: a credential may be anywhere in a mistyped entry.
fn check(value: &ValueKind) -> Result<(), ValueError> {
    let ValueKind::Array(servers) = value else { return refuse(String::new(), name_of_type(value), ALLOWED) };
    servers.iter().enumerate().try_for_each(|(index, server)| check_server(&format!("[{index}]"), &server.kind))
}

fn check_server(at: &str, server: &ValueKind) -> Result<(), ValueError> {
    let ValueKind::Table(fields) = server else { return refuse(at.to_owned(), name_of_type(server), ALLOWED) };
    check_names(at, fields)?;
    let has_turn = check_urls(at, fields.get("urls"))?.iter().any(|url| url.starts_with("turn"));
    if let Some(file) = fields.get("secret_file") {
        return check_minted(at, fields, &file.kind, has_turn);
    }
    for name in ["username", "credential"] {
        check_text(at, name, fields.get(name), has_turn)?;
    }
    Ok(())
}

/// One whose credentials are made for each peer.
fn check_minted(at: &str, fields: &Map<String, Value>, file: &ValueKind, has_turn: bool) -> Result<(), ValueError> {
    if let Some(name) = ["username", "credential"].into_iter().find(|name| fields.contains_key(*name)) {
        return refuse(format!("{at}.{name}"), "both that and a secret_file", "one of them");
    }
    let allowed = "the path of a file, for a server with a turn: or turns: URL";
    let found = match file {
        ValueKind::String(_) if !has_turn => "a secret for none",
        ValueKind::String(path) if !path.is_empty() && !path.chars().any(char::is_control) => return Ok(()),
        ValueKind::String(_) => "another text",
        other => name_of_type(other),
    };
    refuse(format!("{at}.secret_file"), found, allowed)
}

fn check_names(at: &str, fields: &Map<String, Value>) -> Result<(), ValueError> {
    let known = |name: &&String| ["urls", "username", "credential", "secret_file"].contains(&name.as_str());
    match fields.keys().filter(|name| !known(name)).min() {
        Some(name) => refuse(format!("{at}.{name}"), "no such field", "urls, username, credential and secret_file"),
        None => Ok(()),
    }
}

fn check_urls<'a>(at: &str, urls: Option<&'a Value>) -> Result<Vec<&'a str>, ValueError> {
    let at = format!("{at}.urls");
    let elements = match urls.map(|urls| &urls.kind) {
        None => return refuse(at, "nothing", URLS),
        Some(ValueKind::Array(elements)) if elements.is_empty() => return refuse(at, "an empty list", URLS),
        Some(ValueKind::Array(elements)) => elements.iter().map(|element| &element.kind).collect(),
        Some(one) => vec![one],
    };
    let texts = elements.into_iter().map(|element| match element {
        ValueKind::String(url) if is_ice_url(url) => Ok(url.as_str()),
        ValueKind::String(url) => Err(describe_url(url)),
        other => Err(name_of_type(other).to_owned()),
    });
    texts.collect::<Result<_, _>>().or_else(|found| refuse(at, &found, URLS))
}

fn check_text(at: &str, name: &str, value: Option<&Value>, needed: bool) -> Result<(), ValueError> {
    let allowed = "a text that is not empty, which every turn: and turns: server needs that has no secret_file";
    match value.map(|value| &value.kind) {
        None if !needed => Ok(()),
        Some(ValueKind::String(text)) if !text.is_empty() => Ok(()),
        Some(ValueKind::String(_)) => refuse(format!("{at}.{name}"), "an empty text", allowed),
        other => refuse(format!("{at}.{name}"), other.map_or("nothing", name_of_type), allowed),
    }
}

/// RFC 7064 and 7065: what browsers take; anything else makes `new RTCPeerConnection` throw in every client.
fn is_ice_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once(':') else { return false };
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let query_fits = match scheme {
        "stun" | "stuns" => query.is_none(),
        "turn" | "turns" => matches!(query, None | Some("transport=udp" | "transport=tcp")),
        _ => false,
    };
    let is_place = |place: Authority| is_url_host(place.host()) && place.port() != Some(0);
    query_fits && Authority::parse(place).is_some_and(is_place)
}

/// Names the scheme where it is a usual one, and nothing else: people write passwords into URLs.
fn describe_url(url: &str) -> String {
    match url.split_once(':') {
        Some((scheme @ ("stun" | "stuns" | "turn" | "turns" | "http" | "https"), _)) => {
            format!("another {scheme}: URL")
        }
        _ => "another text".to_owned(),
    }
}

fn refuse<T>(at: String, found: &str, allowed: &str) -> Result<T, ValueError> {
    Err(ValueError { at, found: found.to_owned(), allowed: allowed.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::HIDDEN;

    fn check_json(json: &str) -> Result<(), ValueError> {
        check(&serde_json::from_str::<Value>(json).unwrap().kind)
    }

    #[test]
    fn servers_reach_the_client_as_they_were_given_and_nobody_else_sees_the_credential() {
        let json = r#"[{"urls":"stun:a.example"},{"credential":"s3cret","urls":["turn:b.example:3478?transport=udp"],"username":"u"}]"#;
        check_json(json).unwrap();
        let ice = Ice { servers: serde_json::from_str(json).unwrap(), ..Ice::default() };
        let told: Vec<_> = ice.servers.iter().map(IceServer::to_json).collect();
        assert_eq!(format!("[{}]", told.join(",")), json);
        for shown in [format!("{ice:?}"), format!("{ice:#?}"), serde_json::to_string(&ice).unwrap()] {
            assert!(shown.contains("turn:b.example") && shown.contains(HIDDEN), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }

    #[test]
    fn a_server_may_have_a_file_in_place_of_credentials() {
        let json = r#"[{"urls":["turn:a","stun:a"],"secret_file":"/run/secrets/turn"}]"#;
        check_json(json).unwrap();
        let servers: Vec<IceServer> = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&servers).unwrap(), json);
        assert_eq!(servers[0].urls.to_json(), r#"["turn:a","stun:a"]"#);
    }

    #[test]
    fn a_url_is_one_that_browsers_take() {
        for good in ["stun:a", "stun:a:3478", "stuns:[::1]:5349", "turn:10.0.0.1", "turns:a.b:443?transport=tcp"] {
            assert!(is_ice_url(good), "{good}");
        }
        for bad in ["", "a", "stun:", "stun://a", "stun:a:0", "stun:a:99999", "stun:a?transport=udp", "turn:u@a"] {
            assert!(!is_ice_url(bad), "{bad}");
        }
        for bad in ["turn:a?transport=sctp", "turn:a?x", "http://a", "STUN:a", "stun:a b", "turn:[::1"] {
            assert!(!is_ice_url(bad), "{bad}");
        }
    }

    #[test]
    fn a_refusal_says_where_and_why_and_shows_no_value() {
        for (json, at, found) in [
            (r#"{"urls":"s3cret"}"#, "", "a table"),
            (r#"["s3cret"]"#, "[0]", "a text"),
            (r"[{}]", "[0].urls", "nothing"),
            (r#"[{"urls":[]}]"#, "[0].urls", "an empty list"),
            (r#"[{"urls":7}]"#, "[0].urls", "an integer"),
            (r#"[{"urls":["stun:a",{}]}]"#, "[0].urls", "a table"),
            (r#"[{"urls":"turn:u:s3cret@a"}]"#, "[0].urls", "another turn: URL"),
            (r#"[{"urls":"s3cret:3478"}]"#, "[0].urls", "another text"),
            (r#"[{"urls":"stun:a"},{"urls":"turn:a","credential":"s3cret"}]"#, "[1].username", "nothing"),
            (r#"[{"urls":"turn:a","username":"u"}]"#, "[0].credential", "nothing"),
            (r#"[{"urls":"turn:a","username":"u","credential":""}]"#, "[0].credential", "an empty text"),
            (r#"[{"urls":"stun:a","credential":["s3cret"]}]"#, "[0].credential", "a list"),
            (r#"[{"urls":"stun:a","password":"s3cret"}]"#, "[0].password", "no such field"),
            (r#"[{"urls":"stun:a","secret_file":"s3cret"}]"#, "[0].secret_file", "a secret for none"),
            (r#"[{"urls":"turn:a","secret_file":""}]"#, "[0].secret_file", "another text"),
            (r#"[{"urls":"turn:a","secret_file":"s3cret\nturn"}]"#, "[0].secret_file", "another text"),
            (r#"[{"urls":"turn:a","secret_file":["s3cret"]}]"#, "[0].secret_file", "a list"),
            (r#"[{"urls":"turn:a","secret_file":"a","username":"u"}]"#, "[0].username", "both that and a secret_file"),
            (
                r#"[{"urls":"turn:a","secret_file":"a","credential":"s3cret"}]"#,
                "[0].credential",
                "both that and a secret_file",
            ),
        ] {
            let refusal = check_json(json).unwrap_err();
            assert_eq!((refusal.at.as_str(), refusal.found.as_str()), (at, found), "{json}");
            assert!(!refusal.allowed.is_empty() && !format!("{refusal:?}").contains("s3cret"), "{json}");
        }
    }
}
