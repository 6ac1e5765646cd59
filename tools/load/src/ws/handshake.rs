//! The opening handshake (RFC 6455 section 4).

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use memchr::memmem;
use sha1::{Digest as _, Sha1};

/// The RFC's own sample nonce (section 1.3): constant, so that the right answer is known beforehand.
const NONCE: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The only right answer to [`NONCE`].
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// What the server appends to the nonce before hashing (section 1.3).
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// A head that is longer is no handshake of any server here.
const LONGEST: usize = 16 << 10;

/// Why there is no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The status was not 101; its text is what the server said.
    #[error("the server answered {0:?}")]
    Status(String),
    /// `Sec-WebSocket-Accept` does not belong to our nonce.
    #[error("wrong Sec-WebSocket-Accept")]
    Accept,
    /// 16 KiB and no end of the head.
    #[error("the head does not end")]
    TooLong,
}

/// Appends the client's request for `path`, offering `protocol` if there is one.
pub fn request(out: &mut Vec<u8>, target: SocketAddr, path: &str, protocol: Option<&str>) {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {target}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {NONCE}\r\nSec-WebSocket-Version: 13\r\n"
    );
    out.extend_from_slice(head.as_bytes());
    if let Some(protocol) = protocol {
        out.extend_from_slice(format!("Sec-WebSocket-Protocol: {protocol}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads the server's answer; the number is the length of its head, `None` means more bytes are needed.
///
/// # Errors
/// [`HandshakeError`]: the connection is of no use.
pub fn response(bytes: &[u8]) -> Result<Option<usize>, HandshakeError> {
    let Some(end) = head_length(bytes)? else { return Ok(None) };
    let head = &bytes[..end];
    if !head.starts_with(b"HTTP/1.1 101") {
        let status = head.split(|o| *o == b'\r').next().unwrap_or_default();
        return Err(HandshakeError::Status(String::from_utf8_lossy(status).into_owned()));
    }
    memmem::find(head, ACCEPT).map(|_| Some(end)).ok_or(HandshakeError::Accept)
}

/// Bytes up to and with the empty line; `None` when it has not come yet.
///
/// # Errors
/// [`HandshakeError::TooLong`].
pub fn head_length(bytes: &[u8]) -> Result<Option<usize>, HandshakeError> {
    match memmem::find(bytes, b"\r\n\r\n") {
        Some(at) => Ok(Some(at + 4)),
        None if bytes.len() > LONGEST => Err(HandshakeError::TooLong),
        None => Ok(None),
    }
}

/// The nonce of a client's request, for a server that answers it.
#[must_use]
pub fn nonce(head: &[u8]) -> Option<&[u8]> {
    head.split(|o| *o == b'\n').find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"sec-websocket-key").then(|| value[1..].trim_ascii())
    })
}

/// The answer to a nonce (section 4.2.2, step 5.4).
#[must_use]
pub fn accept(nonce: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(nonce);
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_request_and_our_answer_fit() {
        let mut out = Vec::new();
        request(&mut out, "127.0.0.1:80".parse().unwrap(), "/ws", Some("switchboard.v1"));
        assert_eq!(head_length(&out), Ok(Some(out.len())));
        let answer = accept(nonce(&out).unwrap());
        assert_eq!(answer.as_bytes(), ACCEPT);
        let head = format!("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {answer}\r\n\r\n");
        assert_eq!(response(format!("{head}rest").as_bytes()), Ok(Some(head.len())));
    }

    #[test]
    fn refusals_name_the_status_and_forgeries_are_seen() {
        assert_eq!(response(b"HTTP/1.1 101 Swi"), Ok(None));
        let refusal = response(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        assert_eq!(refusal, Err(HandshakeError::Status("HTTP/1.1 503 Service Unavailable".into())));
        let forged = response(b"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: AAAA\r\n\r\n");
        assert_eq!(forged, Err(HandshakeError::Accept));
        assert_eq!(head_length(&vec![b'a'; LONGEST + 1]), Err(HandshakeError::TooLong));
    }
}
