//! The asking side: one Binding request by UDP, with its repetitions, and the address that the answer names.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use stun_types::{
    attribute::{ErrorCode, XorMappedAddress},
    message::{BINDING, Message, MessageClass, MessageWrite, MessageWriteVec},
};

/// RFC 8489 section 6.2.1: how long the first request is waited for; each later one twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// What is read of an answer: as much as any answer that fits into one packet.
const LONGEST: usize = 1500;

/// Why a STUN server is not known to answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing came, however often it was asked.
    #[error("no answer within {} ms", patience.as_millis())]
    Silent {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The system could not send, or was told that nobody is there.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An error response (RFC 8489 section 14.8).
    #[error("error {code} for a Binding request")]
    Refused {
        /// Its code.
        code: u16,
    },
    /// A success response without the address that it is for.
    #[error("an answer without an address in it")]
    NoAddress,
}

/// Asks `server` by which address it sees this machine; again and again within `patience`, since UDP loses some. Blocks.
///
/// # Errors
/// [`AskError`].
pub fn binding(server: SocketAddr, patience: Duration) -> Result<SocketAddr, AskError> {
    let deadline = Instant::now() + patience;
    let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    // Nobody else's answer comes through, and ICMP's word that nobody listens does.
    socket.connect(server)?;
    let request = request();
    let mut wait = FIRST_WAIT;
    while !deadline.saturating_duration_since(Instant::now()).is_zero() {
        socket.send(&request)?;
        if let Some(seen) = answer(&socket, &request, deadline.min(Instant::now() + wait))? {
            return Ok(seen);
        }
        wait *= 2;
    }
    Err(AskError::Silent { patience })
}

/// A Binding request with a transaction id of its own.
#[must_use]
pub fn request() -> Vec<u8> {
    Message::builder_request(BINDING, MessageWriteVec::new()).finish()
}

/// The answer to `request`, if it comes before `until`. What answers something else is not looked at.
fn answer(socket: &UdpSocket, request: &[u8], until: Instant) -> Result<Option<SocketAddr>, AskError> {
    let mut buffer = [0; LONGEST];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if let Some(seen) = read(&buffer[..length], request) {
                    return seen.map(Some);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What a message says to `request`; `None` if it is no answer to it.
#[must_use]
pub fn read(bytes: &[u8], request: &[u8]) -> Option<Result<SocketAddr, AskError>> {
    let (message, request) = (Message::from_bytes(bytes).ok()?, Message::from_bytes(request).ok()?);
    if !message.has_method(BINDING) || message.transaction_id() != request.transaction_id() {
        return None;
    }
    match message.class() {
        MessageClass::Success => {
            let seen = message.attribute::<XorMappedAddress>();
            Some(seen.map(|seen| seen.addr(message.transaction_id())).map_err(|_| AskError::NoAddress))
        }
        MessageClass::Error => {
            let code = message.attribute::<ErrorCode>().map_or(0, |error| error.code());
            Some(Err(AskError::Refused { code }))
        }
        MessageClass::Request | MessageClass::Indication => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, thread};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// A server that answers each datagram with what `respond` makes of it, as often as it says something.
    fn server(answers: usize, respond: impl Fn(&[u8], SocketAddr) -> Vec<Vec<u8>> + Send + 'static) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let address = socket.local_addr().expect("an address");
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            for _ in 0..answers {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { return };
                for answer in respond(&buffer[..length], from) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        address
    }

    fn right(request: &[u8], from: SocketAddr) -> Vec<u8> {
        crate::stun::message::answer(request, from).expect("an answer").bytes().to_vec()
    }

    #[test]
    fn it_is_told_where_it_was_seen() {
        let seen = binding(server(1, |request, from| vec![right(request, from)]), PATIENCE).expect("an answer");
        assert_eq!(seen.ip(), IpAddr::from(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn what_answers_something_else_is_no_answer() {
        let address = server(1, |request, from| {
            let mut other = right(request, from);
            other[19] ^= 1;
            vec![b"hello".to_vec(), request.to_vec(), other, right(request, from)]
        });
        assert_eq!(binding(address, PATIENCE).expect("an answer").ip(), IpAddr::from(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn a_request_that_was_lost_is_sent_again() {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let address = server(2, move |request, from| {
            if asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
                vec![]
            } else {
                vec![right(request, from)]
            }
        });
        assert!(binding(address, PATIENCE).is_ok());
    }

    #[test]
    fn whoever_says_nothing_or_no_is_told_apart() {
        let silent = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let error = binding(silent.local_addr().expect("an address"), Duration::from_millis(50)).expect_err("silence");
        assert!(matches!(error, AskError::Silent { .. }), "{error}");
        let closed = silent.local_addr().expect("an address");
        drop(silent);
        let error = binding(closed, PATIENCE).expect_err("nobody");
        assert!(matches!(&error, AskError::Io(io) if io.kind() == io::ErrorKind::ConnectionRefused), "{error}");
        let refusing = server(1, |request, _| {
            let request = Message::from_bytes(request).expect("a request");
            let mut error = Message::builder_error(&request, MessageWriteVec::new());
            stun_types::message::MessageWriteExt::add_attribute(&mut error, &ErrorCode::new(500, "").expect("a code"))
                .expect("room");
            vec![error.finish()]
        });
        assert!(matches!(binding(refusing, PATIENCE), Err(AskError::Refused { code: 500 })));
        let empty = server(1, |request, _| {
            let request = Message::from_bytes(request).expect("a request");
            vec![Message::builder_success(&request, MessageWriteVec::new()).finish()]
        });
        assert!(matches!(binding(empty, PATIENCE), Err(AskError::NoAddress)));
    }
}
