//! The servers of a list of `RTCIceServer`, each with its protocol.

use crate::{
    config::{Authority, IceServer, Secret, Urls},
    telemetry::{IceKind, IceTransport},
};

/// RFC 7064 section 3.2, RFC 7065 section 3.2.
const PORT: u16 = 3478;
/// The same, of `stuns:` and `turns:`.
const TLS_PORT: u16 = 5349;

/// One URL of the list.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// As clients are told it. There is nothing secret in it (RFC 7065 section 3.1).
    pub(super) url: String,
    pub(super) kind: IceKind,
    pub(super) transport: IceTransport,
    /// Without brackets, as a resolver wants it.
    pub(super) host: String,
    pub(super) port: u16,
    /// User name and password, of TURN.
    pub(super) credentials: Option<(String, Secret)>,
}

/// All of a list, which is a JSON array of `RTCIceServer`.
pub(super) fn targets(list: &str) -> Vec<Target> {
    let servers: Vec<IceServer> = serde_json::from_str(list).unwrap_or_default();
    servers.iter().flat_map(of_server).collect()
}

fn of_server(server: &IceServer) -> Vec<Target> {
    let urls = match &server.urls {
        Urls::One(url) => std::slice::from_ref(url),
        Urls::Many(urls) => urls.as_slice(),
    };
    let credentials = server.username.clone().zip(server.credential.clone());
    urls.iter().filter_map(|url| of_url(url, credentials.as_ref())).collect()
}

/// `None` for what is no URL of an ICE server, which none in the configuration is.
fn of_url(url: &str, credentials: Option<&(String, Secret)>) -> Option<Target> {
    let (scheme, rest) = url.split_once(':')?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let over_tcp = query == "transport=tcp";
    let (kind, transport) = match scheme {
        "stun" => (IceKind::Stun, IceTransport::Udp),
        "stuns" => (IceKind::Stun, IceTransport::Tls),
        "turn" if over_tcp => (IceKind::Turn, IceTransport::Tcp),
        "turn" => (IceKind::Turn, IceTransport::Udp),
        // Browsers take TCP where nothing is said, too.
        "turns" if query == "transport=udp" => (IceKind::Turn, IceTransport::Dtls),
        "turns" => (IceKind::Turn, IceTransport::Tls),
        _ => return None,
    };
    let place = Authority::parse(place)?;
    let usual = if scheme.ends_with('s') { TLS_PORT } else { PORT };
    Some(Target {
        url: url.to_owned(),
        kind,
        transport,
        host: place.name().to_owned(),
        port: place.port().unwrap_or(usual),
        credentials: credentials.filter(|_| kind == IceKind::Turn).cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_url_has_its_protocol_and_its_port() {
        for (url, kind, transport, host, port) in [
            ("stun:a.example", IceKind::Stun, IceTransport::Udp, "a.example", 3478),
            ("stun:[2001:db8::7]:19302", IceKind::Stun, IceTransport::Udp, "2001:db8::7", 19302),
            ("stuns:a.example", IceKind::Stun, IceTransport::Tls, "a.example", 5349),
            ("turn:a.example", IceKind::Turn, IceTransport::Udp, "a.example", 3478),
            ("turn:a.example?transport=udp", IceKind::Turn, IceTransport::Udp, "a.example", 3478),
            ("turn:10.0.0.1:80?transport=tcp", IceKind::Turn, IceTransport::Tcp, "10.0.0.1", 80),
            ("turns:a.example:443?transport=tcp", IceKind::Turn, IceTransport::Tls, "a.example", 443),
            ("turns:a.example", IceKind::Turn, IceTransport::Tls, "a.example", 5349),
            ("turns:a.example?transport=udp", IceKind::Turn, IceTransport::Dtls, "a.example", 5349),
        ] {
            let found = of_url(url, None).expect(url);
            let told = (found.kind, found.transport, found.host.as_str(), found.port);
            assert_eq!(told, (kind, transport, host, port), "{url}");
        }
        assert!(of_url("http://a.example", None).is_none() && of_url("stun", None).is_none());
    }

    #[test]
    fn credentials_go_to_turn_servers_alone() {
        let list = r#"[{"urls":"stun:a.example"},{"urls":["turn:b.example","stun:b.example"],"username":"u","credential":"c"}]"#;
        let found = targets(list);
        let with: Vec<_> = found.iter().map(|target| (target.url.as_str(), target.credentials.is_some())).collect();
        assert_eq!(with, [("stun:a.example", false), ("turn:b.example", true), ("stun:b.example", false)]);
        let (username, password) = found[1].credentials.as_ref().expect("credentials");
        assert_eq!((username.as_str(), password.reveal()), ("u", "c"));
        assert!(targets("[]").is_empty());
    }
}
