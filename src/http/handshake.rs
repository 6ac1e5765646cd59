//! What a WebSocket handshake must be (RFC 6455 section 4.2.1), and what of it concerns the session.

use actix_http::{Method, RequestHead, StatusCode, Version, header, ws};

use super::{live::Live, origin};
use crate::protocol::{ErrorCode, RoomName};

/// Where sockets are opened.
pub(super) const PATH: &str = "/ws";
/// The one subprotocol that is spoken.
pub(super) const SUBPROTOCOL: &str = "switchboard.v1";

/// A handshake that may be answered with 101.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Whether the client offered [`SUBPROTOCOL`]; only then it is named in the answer.
    pub(super) named_subprotocol: bool,
    /// `?room=`.
    pub(super) hint: Option<RoomName>,
}

/// A handshake that may not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: &'static str,
}

/// What the rules depend on.
pub(super) struct Policy {
    /// `http.allowed_origins`, which a reload may replace.
    pub(super) allowed_origins: Live<[String]>,
    /// Longest room name in octets.
    pub(super) room_name_bytes: usize,
}

/// Looks at the whole head. Strict: an HTTP library of ours accepts `Upgrade: xwebsocketx`, browsers never send it.
/// `proxied`: one of our proxies asks.
pub(super) fn check(head: &RequestHead, policy: &Policy, proxied: bool) -> Result<Accepted, Refused> {
    if !is_door(head.uri.path()) {
        return refused(StatusCode::NOT_FOUND, ErrorCode::UnsupportedVersion, "sockets are opened at /ws");
    }
    protocol_rules(head)?;
    if !origin::is_allowed(head, &policy.allowed_origins.get(), proxied) {
        return refused(StatusCode::FORBIDDEN, ErrorCode::OriginDenied, "this origin is not on http.allowed_origins");
    }
    Ok(Accepted { named_subprotocol: subprotocol(head)?, hint: hint(head, policy.room_name_bytes)? })
}

fn is_door(path: &str) -> bool {
    #[cfg(feature = "echo")]
    if path == crate::session::echo::PATH {
        return true;
    }
    path == PATH
}

fn protocol_rules(head: &RequestHead) -> Result<(), Refused> {
    if head.version != Version::HTTP_11 {
        return bad("a WebSocket handshake is an HTTP/1.1 request");
    }
    if head.method != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::BadHandshake, "a WebSocket handshake is a GET");
    }
    if !tokens(head, &header::UPGRADE).any(|token| token.eq_ignore_ascii_case("websocket")) {
        return bad("the Upgrade header must name websocket");
    }
    if let Some(message) = repeated(head) {
        return bad(message);
    }
    // What follows the head of an upgrade is taken for frames: a body there would be read as some.
    if has_body(head) {
        return bad("a WebSocket handshake has no body");
    }
    ws::verify_handshake(head).map_err(|error| match error {
        ws::HandshakeError::UnsupportedVersion | ws::HandshakeError::NoVersionHeader => Refused {
            status: StatusCode::UPGRADE_REQUIRED,
            code: ErrorCode::BadHandshake,
            message: "Sec-WebSocket-Version must be 13",
        },
        ws::HandshakeError::BadWebsocketKey => bad_handshake("Sec-WebSocket-Key must be 16 octets in base64"),
        _ => bad_handshake("this is no WebSocket handshake"),
    })
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

/// The comma-separated tokens of all lines of a header.
fn tokens<'a>(head: &'a RequestHead, name: &'a header::HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = head.headers().get_all(name).filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn subprotocol(head: &RequestHead) -> Result<bool, Refused> {
    let mut offered = tokens(head, &header::SEC_WEBSOCKET_PROTOCOL).peekable();
    if offered.peek().is_none() {
        return Ok(false);
    }
    if offered.any(|token| token == SUBPROTOCOL) {
        return Ok(true);
    }
    refused(StatusCode::BAD_REQUEST, ErrorCode::UnsupportedVersion, "the subprotocol is switchboard.v1")
}

fn hint(head: &RequestHead, limit: usize) -> Result<Option<RoomName>, Refused> {
    #[cfg(feature = "echo")]
    if head.uri.path() == crate::session::echo::PATH {
        return Ok(crate::session::echo::hint());
    }
    let query = head.uri.query().unwrap_or_default();
    let Some(room) = actix_web::web::Query::<Vec<(String, String)>>::from_query(query)
        .ok()
        .and_then(|pairs| pairs.into_inner().into_iter().find_map(|(key, value)| (key == "room").then_some(value)))
    else {
        return Ok(None);
    };
    match RoomName::parse(&room, limit) {
        Ok(room) => Ok(Some(room)),
        Err(_) => {
            refused(StatusCode::BAD_REQUEST, ErrorCode::InvalidMessage, "?room= is not a room name that can be joined")
        }
    }
}

fn bad<T>(message: &'static str) -> Result<T, Refused> {
    Err(bad_handshake(message))
}

fn bad_handshake(message: &'static str) -> Refused {
    Refused { status: StatusCode::BAD_REQUEST, code: ErrorCode::BadHandshake, message }
}

fn refused<T>(status: StatusCode, code: ErrorCode, message: &'static str) -> Result<T, Refused> {
    Err(Refused { status, code, message })
}

#[cfg(test)]
mod tests {
    use actix_http::{Request, test::TestRequest};

    use super::*;

    fn policy() -> Policy {
        Policy { allowed_origins: vec!["https://meet.example".to_owned()].into(), room_name_bytes: 16 }
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
        check(request.head(), &policy(), false).map_err(|refused| (refused.status.as_u16(), refused.code))
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
        let cases: [(&str, Headers, u16); 12] = [
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
            ("/ws?room=%00", &[], 400),
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
    fn an_origin_on_the_list_is_fine() {
        assert!(verdict("/ws", &[("origin", "https://meet.example")]).is_ok());
    }
}
