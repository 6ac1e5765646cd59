//! What a WebSocket handshake must be (RFC 6455 section 4.2.1), and what of it concerns the session.

use std::borrow::Cow;

use actix_http::{Method, RequestHead, StatusCode, Version, header};

use super::{
    hint,
    origin::{OriginPolicy, host_asked_for},
};
use crate::{
    config::ForwardedHeader,
    http::socket::head,
    protocol::{
        ErrorCode, RoomName,
        client::{BearerToken, TOKEN_BYTES},
    },
};

/// Where sockets are opened.
pub(in crate::http) const PATH: &str = "/ws";
/// The one subprotocol that is spoken.
pub(in crate::http) const SUBPROTOCOL: &str = "switchboard.v1";

/// Stands before a token that is offered as a subprotocol.
const BEARER: &[u8] = b"bearer.";

/// Said to HTTP/1.0, which nginx speaks to its upstreams unless it is told otherwise.
const HTTP_10: &str =
    "a WebSocket handshake is an HTTP/1.1 request: a proxy before the server may speak HTTP/1.0 (proxy_http_version)";

/// A handshake that may be answered with 101.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Accepted {
    /// Whether the client offered [`SUBPROTOCOL`]; only then it is named in the answer.
    pub(in crate::http) named_subprotocol: bool,
    /// `?room=`.
    pub(in crate::http) hint: Option<RoomName>,
    /// The token that was offered as a subprotocol, since browsers can add no other header.
    pub(in crate::http) bearer: Option<BearerToken<'static>>,
    /// The host that the client used, where somebody wants to know.
    pub(in crate::http) host: Option<Box<str>>,
}

/// A handshake that may not.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct HandshakeError {
    pub(in crate::http) status: StatusCode,
    pub(in crate::http) code: ErrorCode,
    pub(in crate::http) message: Cow<'static, str>,
}

/// What the rules depend on.
#[derive(Clone)]
pub(in crate::http) struct Policy {
    pub(in crate::http) origins: OriginPolicy,
    /// Longest room name in bytes.
    pub(in crate::http) room_name_bytes: usize,
    /// Whether clients are told of a STUN server at the host that they used.
    pub(in crate::http) stun_at_host: bool,
}

/// Looks at the whole head. Strict: an HTTP library of ours accepts `Upgrade: xwebsocketx`, browsers never send it.
/// `believed`: one of our proxies asks, and is believed in that header.
pub(in crate::http) fn check(
    head: &RequestHead,
    policy: &Policy,
    believed: Option<ForwardedHeader>,
) -> Result<Accepted, HandshakeError> {
    if !is_door(head.uri.path()) {
        return refused(StatusCode::NOT_FOUND, ErrorCode::UnsupportedVersion, "sockets are opened at /ws");
    }
    protocol_rules(head)?;
    if let Err(message) = policy.origins.check(head, believed) {
        return refused(StatusCode::FORBIDDEN, ErrorCode::OriginDenied, message);
    }
    let hint = hint(head, policy.room_name_bytes);
    let host = if policy.stun_at_host { host_asked_for(head, believed) } else { None };
    Ok(Accepted { named_subprotocol: subprotocol(head)?, hint, bearer: bearer(head), host })
}

fn is_door(path: &str) -> bool {
    path == PATH
}

fn protocol_rules(head: &RequestHead) -> Result<(), HandshakeError> {
    if head.version != Version::HTTP_11 {
        return bad(HTTP_10);
    }
    if head.method != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadHandshake, "a WebSocket handshake is a GET");
    }
    if !names(head, &header::UPGRADE, "websocket") {
        return bad("the Upgrade header must name websocket");
    }
    if !names(head, &header::CONNECTION, "upgrade") {
        return bad("the Connection header must name upgrade: a proxy before the server may not pass it on");
    }
    if let Some(message) = repeated(head) {
        return bad(message);
    }
    // What follows the head of an upgrade is taken for frames: a body there would be read as some.
    if has_body(head) {
        return bad("a WebSocket handshake has no body");
    }
    let value = |name| head.headers().get(name).map(header::HeaderValue::as_bytes);
    if value(header::SEC_WEBSOCKET_VERSION) != Some(b"13") {
        let message = "Sec-WebSocket-Version must be 13";
        return refused(StatusCode::UPGRADE_REQUIRED, ErrorCode::BadHandshake, message);
    }
    match value(header::SEC_WEBSOCKET_KEY) {
        Some(key) if is_key(key) => Ok(()),
        Some(_) => bad("Sec-WebSocket-Key must be 16 bytes in base64"),
        None => bad("there is no Sec-WebSocket-Key: a proxy before the server may not pass it on"),
    }
}

/// What becomes of a request for [`PATH`] whose `Upgrade` does not name a WebSocket: mostly a proxy took it away.
pub(in crate::http) fn lost(head: &RequestHead) -> HandshakeError {
    let tried = head.headers().contains_key(header::SEC_WEBSOCKET_KEY)
        || head.headers().contains_key(header::SEC_WEBSOCKET_VERSION);
    let (status, message) = match (&head.method, head.version) {
        (&Method::CONNECT, _) => (
            StatusCode::METHOD_NOT_ALLOWED,
            "a WebSocket is opened by a GET over HTTP/1.1: a proxy that takes HTTP/2 (RFC 8441) must open it so",
        ),
        (&Method::GET | &Method::HEAD, Version::HTTP_11) if tried => (
            StatusCode::UPGRADE_REQUIRED,
            "the Upgrade header is missing: a proxy before the server may not pass on Upgrade and Connection",
        ),
        (&Method::GET | &Method::HEAD, Version::HTTP_11) => (
            StatusCode::UPGRADE_REQUIRED,
            "this is where WebSockets are opened: the Upgrade header must name websocket, and proxies must pass it on",
        ),
        (&Method::GET | &Method::HEAD, _) => (StatusCode::BAD_REQUEST, HTTP_10),
        _ => (StatusCode::METHOD_NOT_ALLOWED, "a WebSocket handshake is a GET"),
    };
    HandshakeError { status, code: ErrorCode::BadHandshake, message: message.into() }
}

/// What becomes of a request for a path that there is not, if it was to be a handshake. `public`: it came to the clients'
/// listener.
pub(in crate::http) fn strayed(head: &RequestHead, public: bool) -> Option<HandshakeError> {
    let message = if public {
        "WebSockets are opened at /ws: a proxy before the server may pass on a path that it should take off, and no Upgrade"
    } else {
        "this is the operator's port, where no WebSockets are opened: a proxy before the server may mean server.port"
    };
    let (status, message) = (StatusCode::NOT_FOUND, message.into());
    let refused = HandshakeError { status, code: ErrorCode::UnsupportedVersion, message };
    head.headers().contains_key(header::SEC_WEBSOCKET_KEY).then_some(refused)
}

/// 16 bytes in base64 (RFC 6455 section 4.1), in the one way there is to write them (RFC 4648 section 3.5).
fn is_key(key: &[u8]) -> bool {
    let [digits @ .., b'=', b'='] = key else { return false };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    // The last of 22 digits has two bits of the key and four that are 0.
    digits.len() == 22 && digits.iter().all(is_digit) && digits.last().is_some_and(|last| b"AQgw".contains(last))
}

/// Headers that may not come twice (section 11.3): which of two should count?
fn repeated(head: &RequestHead) -> Option<&'static str> {
    let single = [
        (header::SEC_WEBSOCKET_KEY, "there must be one Sec-WebSocket-Key"),
        (header::SEC_WEBSOCKET_VERSION, "there must be one Sec-WebSocket-Version"),
        (header::ORIGIN, "there must be one Origin at most"),
    ];
    let repeated = single.into_iter().find(|(name, _)| head.headers().get_all(name).count() > 1);
    repeated.map(|(_, message)| message)
}

fn has_body(head: &RequestHead) -> bool {
    let headers = head.headers();
    let empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length.as_bytes().iter().all(|b| *b == b'0'));
    !empty || headers.contains_key(header::TRANSFER_ENCODING)
}

/// Whether the list in all lines of a header has that member, whatever its case.
fn names(head: &RequestHead, name: &header::HeaderName, member: &str) -> bool {
    tokens(head, name).any(|token| token.eq_ignore_ascii_case(member.as_bytes()))
}

/// The members of the list in all lines of a header (RFC 9110 section 5.6.1).
fn tokens<'a>(head: &'a RequestHead, name: &'a header::HeaderName) -> impl Iterator<Item = &'a [u8]> {
    head.headers().get_all(name).flat_map(|line| head::tokens(line.as_bytes()))
}

fn subprotocol(head: &RequestHead) -> Result<bool, HandshakeError> {
    let mut offered = tokens(head, &header::SEC_WEBSOCKET_PROTOCOL).peekable();
    if offered.peek().is_none() {
        return Ok(false);
    }
    if offered.any(|token| token == SUBPROTOCOL.as_bytes()) {
        return Ok(true);
    }
    refused(StatusCode::BAD_REQUEST, ErrorCode::UnsupportedVersion, "the subprotocol is switchboard.v1")
}

/// What stands behind [`BEARER`]. It is judged at the `join`, where a browser can read the answer. Of two none is good.
fn bearer(head: &RequestHead) -> Option<BearerToken<'static>> {
    let offered = tokens(head, &header::SEC_WEBSOCKET_PROTOCOL);
    let shown: Vec<_> = offered.filter_map(|token| token.strip_prefix(BEARER)).collect();
    let text = shown.join(&b","[..]);
    // One that is longer than any may be is too long as well without its end.
    let kept = &text[..text.len().min(1 + TOKEN_BYTES)];
    (!shown.is_empty()).then(|| BearerToken::new(String::from_utf8_lossy(kept).into_owned()))
}

fn hint(head: &RequestHead, limit: usize) -> Option<RoomName> {
    hint::of(head.uri.query().unwrap_or_default(), limit)
}

fn bad<T>(message: &'static str) -> Result<T, HandshakeError> {
    refused(StatusCode::BAD_REQUEST, ErrorCode::BadHandshake, message)
}

fn refused<T>(status: StatusCode, code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Result<T, HandshakeError> {
    Err(HandshakeError { status, code, message: message.into() })
}

#[cfg(test)]
mod tests {
    use actix_http::{Request, test::TestRequest};

    use super::*;

    fn policy() -> Policy {
        let allowed = vec!["https://meet.example".to_owned()].into();
        let origins = OriginPolicy { allowed, speaks_tls: false, is_required: false };
        Policy { origins, room_name_bytes: 16, stun_at_host: false }
    }

    /// A complete handshake, with `more` in place of what it names, or in addition.
    fn handshake(uri: &str, more: &[(&str, &str)]) -> TestRequest {
        let mut request = TestRequest::with_uri(uri);
        for (name, value) in [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(more)
        {
            request.insert_header((*name, *value));
        }
        request
    }

    fn verdict(uri: &str, more: &[(&str, &str)]) -> Result<Accepted, (u16, ErrorCode)> {
        judge(&handshake(uri, more).finish())
    }

    fn judge(request: &Request) -> Result<Accepted, (u16, ErrorCode)> {
        check(request.head(), &policy(), None).map_err(|refused| (refused.status.as_u16(), refused.code))
    }

    #[test]
    fn a_browser_comes_in_and_its_hint_is_unescaped() {
        let accepted = verdict("/ws?room=caf%C3%A9", &[("sec-websocket-protocol", "other, switchboard.v1")]).unwrap();
        assert!(accepted.named_subprotocol);
        assert_eq!(accepted.hint.unwrap().as_str(), "café");
        assert!(!verdict("/ws", &[]).unwrap().named_subprotocol);
    }

    #[test]
    fn everything_else_is_told_why() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(&str, Headers, u16); 11] = [
            ("/", &[], 404),
            ("/ws", &[("sec-websocket-version", "8")], 426),
            ("/ws", &[("sec-websocket-key", "short")], 400),
            ("/ws", &[("sec-websocket-version", "13, 8")], 426),
            ("/ws", &[("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZR==")], 400),
            ("/ws", &[("upgrade", "xwebsocketx")], 400),
            ("/ws", &[("connection", "close")], 400),
            ("/ws", &[("content-length", "5")], 400),
            ("/ws", &[("transfer-encoding", "chunked")], 400),
            ("/ws", &[("sec-websocket-protocol", "rooms.v1")], 400),
            ("/ws", &[("origin", "https://evil.example")], 403),
        ];
        for (uri, more, status) in cases {
            assert_eq!(verdict(uri, more).unwrap_err().0, status, "{uri} {more:?}");
        }
    }

    #[test]
    fn what_must_stand_there_once_may_not_stand_there_twice() {
        let headers = [
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
            ("origin", "https://meet.example"),
        ];
        for (name, value) in headers {
            let mut request = handshake("/ws", &[("origin", "https://meet.example")]);
            request.append_header((name, value));
            assert_eq!(judge(&request.finish()).unwrap_err(), (400, ErrorCode::BadHandshake), "{name}");
        }
    }

    #[test]
    fn lists_are_lists() {
        for (name, value) in [
            ("connection", "Upgrade, close"),
            ("connection", "close,upgrade"),
            ("connection", "keep-alive, ,UPGRADE"),
            ("upgrade", "h2c, websocket"),
            ("upgrade", "WebSocket\t, h2c"),
        ] {
            assert!(verdict("/ws", &[(name, value)]).is_ok(), "{name}: {value}");
        }
        for (name, value) in [("connection", "upgraded"), ("connection", "x upgrade"), ("upgrade", "websocket/13")] {
            assert_eq!(
                verdict("/ws", &[(name, value)]).unwrap_err(),
                (400, ErrorCode::BadHandshake),
                "{name}: {value}"
            );
        }
    }

    #[test]
    fn a_hint_that_cannot_be_used_is_ignored() {
        for uri in ["/ws?room=", "/ws?room=%00", "/ws?room=0123456789abcdefg", "/ws?room=%ff", "/ws?room=a&room=b"] {
            assert_eq!(verdict(uri, &[]).unwrap().hint, None, "{uri}");
        }
    }

    #[test]
    fn who_asks_for_the_path_without_an_upgrade_is_told_what_a_proxy_may_have_done() {
        let told = |method: Method, version: Version, headers: &[(&str, &str)]| {
            let mut request = TestRequest::with_uri("/ws");
            request.method(method).version(version);
            for header in headers {
                request.insert_header(*header);
            }
            let refused = lost(request.finish().head());
            (refused.status.as_u16(), refused.message)
        };
        let key = [("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
        for (method, version, status, word) in [
            (Method::GET, Version::HTTP_11, 426, "Upgrade header is missing: a proxy"),
            (Method::HEAD, Version::HTTP_11, 426, "proxy"),
            (Method::GET, Version::HTTP_10, 400, "HTTP/1.0"),
            (Method::CONNECT, Version::HTTP_11, 405, "HTTP/2"),
            (Method::POST, Version::HTTP_11, 405, "GET"),
        ] {
            let found = told(method.clone(), version, &key);
            assert!(found.0 == status && found.1.contains(word), "{method} {version:?}: {found:?}");
        }
        assert!(told(Method::GET, Version::HTTP_11, &[]).1.contains("must name websocket"));
    }

    #[test]
    fn an_empty_body_is_none() {
        assert!(verdict("/ws", &[("content-length", "0")]).is_ok());
    }

    #[test]
    fn our_subprotocol_is_found_in_any_line() {
        let mut request = handshake("/ws", &[("sec-websocket-protocol", "chat")]);
        request.append_header(("sec-websocket-protocol", "mqtt , switchboard.v1"));
        assert!(judge(&request.finish()).unwrap().named_subprotocol);
    }

    #[test]
    fn a_token_is_taken_out_of_the_subprotocols_and_is_none_itself() {
        let shown = |value: &str| {
            let accepted = verdict("/ws", &[("sec-websocket-protocol", value)]).unwrap();
            assert!(accepted.named_subprotocol);
            assert!(!format!("{accepted:?}").contains("e30"), "{accepted:?}");
            accepted.bearer.map(|token| token.reveal().to_owned())
        };
        assert_eq!(shown("switchboard.v1"), None);
        assert_eq!(shown("switchboard.v1, bearer.e30.e30.c2ln").as_deref(), Some("e30.e30.c2ln"));
        assert_eq!(shown("bearer.e30.e30.c2ln,switchboard.v1").as_deref(), Some("e30.e30.c2ln"));
        assert_eq!(shown("bearer.a, switchboard.v1, bearer.b").as_deref(), Some("a,b"), "no token at all");
        let long = format!("switchboard.v1, bearer.{}", "x".repeat(2 * TOKEN_BYTES));
        assert_eq!(shown(&long).unwrap().len(), TOKEN_BYTES + 1);
        assert_eq!(verdict("/ws", &[("sec-websocket-protocol", "bearer.a")]).unwrap_err().0, 400);
    }

    #[test]
    fn an_origin_on_the_list_is_fine() {
        assert!(verdict("/ws", &[("origin", "https://meet.example")]).is_ok());
    }
}
