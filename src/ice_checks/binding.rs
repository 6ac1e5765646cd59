//! One Binding request over a stream: it is not repeated, since TCP does that (RFC 8489 section 6.2.2).

use std::time::{Duration, Instant};

use super::{
    failure::Failure,
    link::{LONGEST, Link},
};
use crate::stun::ask;

/// The header of a message; its length is in it, and counts what follows (RFC 8489 section 5).
const HEADER: usize = 20;

/// Asks by which address this machine is seen, and waits for the answer for at most `timeout`.
///
/// # Errors
/// There was none, or none that says it.
pub(super) fn ask(link: &mut Link, timeout: Duration) -> Result<(), Failure> {
    let until = Instant::now() + timeout;
    let request = ask::request();
    link.send(&request)?;
    let (mut read, mut buffer) = (Vec::new(), [0; LONGEST]);
    loop {
        while let Some(message) = take_message(&mut read) {
            if let Some(seen) = ask::read(&message, &request) {
                return Ok(seen.map(|_| ())?);
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        // Longer than any answer: it says something else, and would go on.
        if read.len() > LONGEST {
            return Err(Failure::Unusable);
        }
        if left.is_zero() {
            return Err(Failure::Silent { timeout_ms: timeout.as_millis() });
        }
        if let Some(length) = link.receive(&mut buffer, left)? {
            read.extend_from_slice(&buffer[..length]);
        }
    }
}

/// The first message of what was read, if all of it is there.
fn take_message(read: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = HEADER + usize::from(u16::from_be_bytes([*read.get(2)?, *read.get(3)?]));
    (read.len() >= length).then(|| read.drain(..length).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    /// What a server makes of a request that it answers with those bytes, piece by piece.
    fn outcome(answer: impl FnOnce(&[u8]) -> Vec<Vec<u8>> + Send + 'static, patience: Duration) -> Result<(), Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("an address");
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.set_nodelay(true).expect("set");
            let mut request = [0; HEADER];
            stream.read_exact(&mut request).expect("a request");
            for piece in answer(&request) {
                stream.write_all(&piece).expect("sent");
            }
            // The connection stays until the client has made up its mind.
            let _ = ended.recv();
        });
        let outcome = ask(&mut Link::tcp(address, LONG).expect("connected"), patience);
        drop(end);
        server.join().expect("a server");
        outcome
    }

    fn right(request: &[u8]) -> Vec<u8> {
        let from = "192.0.2.7:4000".parse().expect("an address");
        crate::stun::message::answer(request, from).expect("an answer").bytes().to_vec()
    }

    #[test]
    fn an_answer_is_found_however_the_stream_is_cut_and_behind_what_answers_something_else() {
        let bytewise = outcome(|request| right(request).chunks(1).map(<[u8]>::to_vec).collect(), LONG);
        assert!(bytewise.is_ok(), "{bytewise:?}");
        let behind = outcome(
            |request| {
                let mut other = right(request);
                other[HEADER - 1] ^= 1;
                vec![[other, right(request)].concat()]
            },
            LONG,
        );
        assert!(behind.is_ok(), "{behind:?}");
    }

    #[test]
    fn what_is_no_answer_is_silence_or_of_no_use() {
        let silent = outcome(|request| vec![right(request)[..30].to_vec()], Duration::from_millis(50));
        assert!(matches!(silent, Err(Failure::Silent { timeout_ms: 50 })), "{silent:?}");
        let endless = outcome(|_| vec![vec![0xff; 2 * LONGEST]], LONG);
        assert!(matches!(endless, Err(Failure::Unusable)), "{endless:?}");
    }
}
