//! RFC 6455 by hand, client side: frames no library would send, and a strict look at those that come back.

use std::{
    io::{BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

use super::http::{Response, dial, read_response};

/// First bytes of a frame: FIN, reserved bits, opcode.
pub(crate) mod first {
    pub(crate) const TEXT: u8 = 0x81;
    pub(crate) const TEXT_BEGINS: u8 = 0x01;
    pub(crate) const GOES_ON: u8 = 0x00;
    pub(crate) const ENDS: u8 = 0x80;
    pub(crate) const BINARY: u8 = 0x82;
    pub(crate) const CLOSE: u8 = 0x88;
    pub(crate) const PING: u8 = 0x89;
    pub(crate) const PONG: u8 = 0x8a;
    pub(crate) const RESERVED_BIT: u8 = 0x40;
}

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame, as every client must send it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64, true);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame without a mask, which no client may send.
pub(crate) fn unmasked_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    [head(first, payload.len() as u64, false), payload.to_vec()].concat()
}

/// A head (with its mask) that announces `length` bytes; none of them follow.
pub(crate) fn head(first: u8, length: u64, masked: bool) -> Vec<u8> {
    let mask_bit = if masked { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(mask_bit | u8::try_from(length).unwrap()),
        126..=0xffff => {
            bytes.push(mask_bit | 0x7e);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 0x7f);
            bytes.extend(length.to_be_bytes());
        }
    }
    if masked {
        bytes.extend(MASK);
    }
    bytes
}

/// A close frame's payload.
pub(crate) fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [code.to_be_bytes().as_slice(), reason.as_bytes()].concat()
}

/// What a server may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Text(String),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

/// Why no frame came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server closed its side.
    Fin,
    /// The server threw the connection away.
    Reset,
    /// The deadline passed.
    Silence,
    /// Something that RFC 6455 or this server's protocol forbids a server to send.
    Broken(String),
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Fin,
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silence,
            _ => Self::Broken(error.to_string()),
        }
    }
}

/// Reads one frame. The server sends whole, unmasked frames without reserved bits, and no binary ones.
pub(crate) fn read_frame(from: &mut BufReader<TcpStream>, deadline: Instant) -> Result<Frame, Ended> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Ended::Silence);
    }
    from.get_ref().set_read_timeout(Some(left)).expect("a timeout above zero");
    let mut start = [0; 2];
    from.read_exact(&mut start)?;
    let [first, length] = start;
    let payload = read_payload(from, length)?;
    match first {
        0x81 => String::from_utf8(payload).map(Frame::Text).map_err(|_| Ended::Broken("text not UTF-8".into())),
        0x89 => Ok(Frame::Ping(payload)),
        0x8a => Ok(Frame::Pong(payload)),
        0x88 => read_close(&payload),
        _ => Err(Ended::Broken(format!("a frame that begins with {first:#04x}"))),
    }
}

fn read_payload(from: &mut BufReader<TcpStream>, length: u8) -> Result<Vec<u8>, Ended> {
    let length = match length {
        0..=125 => u64::from(length),
        126 => {
            let mut bytes = [0; 2];
            from.read_exact(&mut bytes)?;
            u64::from(u16::from_be_bytes(bytes))
        }
        127 => {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes)?;
            u64::from_be_bytes(bytes)
        }
        _ => return Err(Ended::Broken("a masked frame".into())),
    };
    let length = usize::try_from(length).ok().filter(|l| *l < 64 << 20);
    let mut payload = vec![0; length.ok_or_else(|| Ended::Broken("a frame of 64 MiB or more".into()))?];
    from.read_exact(&mut payload)?;
    Ok(payload)
}

fn read_close(payload: &[u8]) -> Result<Frame, Ended> {
    match payload {
        [] => Ok(Frame::Close(None, String::new())),
        [high, low, reason @ ..] => {
            let reason = String::from_utf8(reason.to_vec()).map_err(|_| Ended::Broken("close not UTF-8".into()))?;
            Ok(Frame::Close(Some(u16::from_be_bytes([*high, *low])), reason))
        }
        [_] => Err(Ended::Broken("a close frame of one byte".into())),
    }
}

/// An opening handshake, complete and correct until a test changes it.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    request_line: String,
    headers: Vec<(String, String)>,
    then: Vec<u8>,
}

/// The key of RFC 6455 section 1.3, whose answer is printed there.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to [`KEY`].
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

impl Handshake {
    /// A handshake that the server must accept.
    pub(crate) fn new() -> Self {
        let headers = [
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", KEY),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { request_line: "GET /ws HTTP/1.1".into(), headers, then: Vec::new() }
    }

    /// Another request line.
    pub(crate) fn request_line(mut self, line: &str) -> Self {
        line.clone_into(&mut self.request_line);
        self
    }

    /// Replaces a header, or adds it.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a header line even if there is one of that name.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Removes a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// Bytes to be sent in one piece with the handshake, before the answer is known.
    pub(crate) fn followed_by(mut self, bytes: Vec<u8>) -> Self {
        self.then = bytes;
        self
    }

    /// Sends it on a new connection and reads the answer.
    #[track_caller]
    pub(crate) fn send(&self, to: SocketAddr) -> (Response, BufReader<TcpStream>) {
        self.send_on(dial(to))
    }

    /// Sends it on this connection and reads the answer.
    #[track_caller]
    pub(crate) fn send_on(&self, mut stream: TcpStream) -> (Response, BufReader<TcpStream>) {
        stream.write_all(&self.bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let response = read_response(&mut stream).unwrap_or_else(|e| panic!("no answer to {self:?}: {e}"));
        (response, stream)
    }

    /// What is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let headers: String = self.headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
        let head = format!("{}\r\n{headers}\r\n", self.request_line);
        [head.into_bytes(), self.then.clone()].concat()
    }
}
