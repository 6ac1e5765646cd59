//! One allocation (RFC 8656 section 7) with the credentials that a client would have, given back at once.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use stun_types::{
    TransportType,
    attribute::ErrorCode,
    message::{Message, MessageClass, TransactionId},
};
use turn_client_proto::{
    api::{Transmit, TurnClientApi, TurnConfig, TurnEvent, TurnPollRet},
    client::TurnClient,
    stun::Instant as Elapsed,
    tcp::TurnClientTcp,
    types::TurnCredentials,
    udp::TurnClientUdp,
};

use super::{
    failure::Failure,
    link::{LONGEST, Link},
};

/// Asks for a relayed address, waits for it for at most `timeout`, and gives it back.
///
/// # Errors
/// There was none to be had.
pub(super) fn allocate(
    mut link: Link,
    server: SocketAddr,
    (username, password): (&str, &str),
    timeout: Duration,
) -> Result<(), Failure> {
    let local = link.local()?;
    let config = TurnConfig::new(TurnCredentials::new(username, password));
    let (transport, mut client) = match link {
        Link::Datagrams(_) => (TransportType::Udp, TurnClient::from(TurnClientUdp::allocate(local, server, config))),
        // What is said is the same with TLS and without.
        Link::Stream(_) | Link::Secure(_) => {
            (TransportType::Tcp, TurnClient::from(TurnClientTcp::allocate(local, server, config)))
        }
    };
    let begun = Instant::now();
    let mut refusals = Refusals::default();
    let mut buffer = [0; LONGEST];
    loop {
        send_all(&mut client, &mut link, begun)?;
        match client.poll_event() {
            Some(TurnEvent::AllocationCreated(..)) => {
                // Its time would end by itself; until then it would count against a quota.
                let _ = client.delete(Elapsed::from_std(begun));
                return send_all(&mut client, &mut link, begun);
            }
            Some(TurnEvent::AllocationCreateFailed(_)) => return Err(refusals.failure(timeout)),
            _ => {}
        }
        let left = timeout.saturating_sub(begun.elapsed());
        if left.is_zero() || refusals.is_final {
            return Err(refusals.failure(timeout));
        }
        let wait = match client.poll(Elapsed::from_std(begun)) {
            TurnPollRet::WaitUntil(until) => until.saturating_duration_since(Elapsed::from_std(begun)),
            // What it has to say of that is an event.
            _ => Duration::ZERO,
        };
        if let Some(length) = link.receive(&mut buffer, wait.min(left))? {
            let bytes = &buffer[..length];
            refusals.note(error_in(bytes));
            let received = Transmit { data: bytes, transport, from: server, to: local };
            let _ = client.recv(received, Elapsed::from_std(begun));
        }
    }
}

fn send_all(client: &mut TurnClient, link: &mut Link, begun: Instant) -> Result<(), Failure> {
    while let Some(transmit) = client.poll_transmit(Elapsed::from_std(begun)) {
        link.send(&transmit.data)?;
    }
    Ok(())
}

/// The error responses so far. The client says that it was refused, and not why; and of credentials that are not taken nothing.
#[derive(Default)]
struct Refusals {
    /// The request that was answered with 401 first: that asks for credentials (RFC 8489 section 9.2.4).
    asked: Option<TransactionId>,
    /// Another request was, too: the credentials in it are not taken. A repetition of the same request is none: on a slow way each
    /// is answered.
    is_final: bool,
    /// The last code, whichever.
    last: Option<u16>,
}

impl Refusals {
    fn note(&mut self, error: Option<(TransactionId, u16)>) {
        let Some((request, code)) = error else { return };
        self.last = Some(code);
        if code == ErrorCode::UNAUTHORIZED {
            self.is_final |= *self.asked.get_or_insert(request) != request;
        }
    }

    fn failure(&self, timeout: Duration) -> Failure {
        match self.last {
            // It asked for credentials, and then said nothing to them.
            Some(ErrorCode::UNAUTHORIZED) if !self.is_final => Failure::Silent { timeout_ms: timeout.as_millis() },
            Some(code) => Failure::Refused { code },
            None => Failure::Silent { timeout_ms: timeout.as_millis() },
        }
    }
}

/// Which request an error response answers, and its code.
fn error_in(bytes: &[u8]) -> Option<(TransactionId, u16)> {
    let message = Message::from_bytes(bytes).ok().filter(|message| message.has_class(MessageClass::Error))?;
    message.attribute::<ErrorCode>().ok().map(|error| (message.transaction_id(), error.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_refused_by_the_second_request_that_is_and_by_no_repetition_of_the_first() {
        let timeout = Duration::from_secs(5);
        let unauthorized = |request: u128| Some((TransactionId::from(request), ErrorCode::UNAUTHORIZED));
        let mut refusals = Refusals::default();
        for _ in 0..3 {
            refusals.note(unauthorized(1));
            assert!(!refusals.is_final);
        }
        assert!(matches!(refusals.failure(timeout), Failure::Silent { timeout_ms: 5000 }));
        refusals.note(None);
        refusals.note(unauthorized(2));
        assert!(refusals.is_final && matches!(refusals.failure(timeout), Failure::Refused { code: 401 }));
    }
}
