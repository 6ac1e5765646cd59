//! One check, from the name to the answer. Blocks for about as long as it may.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{binding, failure::Failure, link::Link, resolver::Resolver, secure::Trust, target::Target, turn};
use crate::{
    stun::ask,
    telemetry::{IceKind, IceTransport},
};

/// Whether it can be asked: DTLS is not spoken here: rustls has none.
pub(super) fn is_possible(target: &Target) -> bool {
    target.transport != IceTransport::Dtls
}

/// Its name may take one part of so many of the time: an address that is found at the last moment could not answer any more.
const NAME_SHARE: u32 = 2;

/// Asks it, within `timeout`, at each of its addresses until one answers. How long that one took.
///
/// # Errors
/// None did; what the last one's failure was.
pub(super) fn check(
    target: &Target,
    timeout: Duration,
    resolver: &mut Resolver,
    trust: &Trust<'_>,
) -> Result<Duration, Failure> {
    // Before its time begins: reading the files that vouch for servers is not the server's doing.
    if target.transport == IceTransport::Tls {
        trust.read()?;
    }
    let begun = Instant::now();
    let addresses = resolver.resolve(&target.host, target.port, timeout / NAME_SHARE).map_err(Failure::Unresolved)?;
    let mut failure = Failure::Unresolved(io::ErrorKind::AddrNotAvailable.into());
    for (at, address) in addresses.iter().enumerate() {
        // An address that says nothing takes no other one's time.
        let others = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = timeout.saturating_sub(begun.elapsed()) / others;
        let asked = Instant::now();
        match ask_one(target, *address, share, trust) {
            Ok(()) => return Ok(asked.elapsed()),
            Err(error) => failure = error.within(timeout),
        }
    }
    Err(failure)
}

fn ask_one(target: &Target, address: SocketAddr, timeout: Duration, trust: &Trust<'_>) -> Result<(), Failure> {
    if (target.kind, target.transport) == (IceKind::Stun, IceTransport::Udp) {
        ask::binding(address, timeout)?;
        return Ok(());
    }
    let begun = Instant::now();
    let mut link = match target.transport {
        IceTransport::Tls => Link::tls(address, &target.host, trust, timeout)?,
        IceTransport::Tcp => Link::tcp(address, timeout)?,
        IceTransport::Udp | IceTransport::Dtls => Link::udp(address)?,
    };
    if target.kind == IceKind::Stun {
        return binding::ask(&mut link, timeout.saturating_sub(begun.elapsed()));
    }
    let (username, password) =
        target.credentials.as_ref().map_or(("", ""), |(username, password)| (username, password.reveal()));
    turn::allocate(link, address, (username, password), timeout.saturating_sub(begun.elapsed()))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, UdpSocket},
        path::Path,
        thread,
    };

    use super::*;
    use crate::{ice_checks::target::targets, telemetry::IceOutcome};

    fn failure(url: &str, timeout: Duration) -> Failure {
        let list = format!(r#"[{{"urls":"{url}","username":"u","credential":"c"}}]"#);
        check(&targets(&list)[0], timeout, &mut Resolver::new(), &nobody()).expect_err("nobody answers")
    }

    /// Nobody may vouch for a server: there is no such file.
    fn nobody() -> Trust<'static> {
        Trust::new(Path::new("/nowhere/signers.pem"))
    }

    const SHORT: Duration = Duration::from_millis(80);
    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn whoever_says_nothing_is_silent_and_whoever_is_not_there_is_unreachable() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("an address").port();
        for kind in ["stun", "turn"] {
            let error = failure(&format!("{kind}:127.0.0.1:{port}"), SHORT);
            assert_eq!(error.outcome(), IceOutcome::Silent, "{kind}: {error:?}");
            assert_eq!(
                error.to_string(),
                "no answer within 80 ms",
                "{kind}: what is configured, not what was left of it"
            );
        }
        drop(socket);
        for url in ["stun:127.0.0.1", "turn:127.0.0.1", "turn:127.0.0.1?transport=tcp"] {
            let url = url.replacen("127.0.0.1", &format!("127.0.0.1:{port}"), 1);
            let error = failure(&url, LONG);
            assert_eq!(error.outcome(), IceOutcome::Unreachable, "{url}: {error:?}");
        }
    }

    #[test]
    fn a_name_without_an_address_is_not_resolved() {
        // No name in .invalid ever is (RFC 6761 section 6.4).
        let error = failure("stun:nowhere.invalid", LONG);
        assert_eq!(error.outcome(), IceOutcome::Unresolved, "{error:?}");
    }

    #[test]
    fn a_stun_server_that_answers_is_well() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("an address").port();
        let server = thread::spawn(move || {
            let mut buffer = [0; 100];
            socket.set_read_timeout(Some(LONG)).expect("a timeout");
            let (length, from) = socket.recv_from(&mut buffer).expect("a request");
            let answer = crate::stun::message::answer(&buffer[..length], from).expect("an answer");
            socket.send_to(answer.bytes(), from).expect("sent");
        });
        let target = &targets(&format!(r#"[{{"urls":"stun:127.0.0.1:{port}"}}]"#))[0];
        assert!(check(target, LONG, &mut Resolver::new(), &nobody()).expect("it answers") < LONG);
        server.join().expect("a server");
    }

    #[test]
    fn what_speaks_dtls_is_not_asked() {
        let list =
            r#"[{"urls":["stuns:a","turns:a","turns:a?transport=udp","stun:a","turn:a","turn:a?transport=tcp"]}]"#;
        let possible: Vec<_> = targets(list).iter().map(is_possible).collect();
        assert_eq!(possible, [true, true, false, true, true, true]);
    }

    #[test]
    fn where_nobody_may_vouch_for_a_server_it_is_not_trusted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        for kind in ["stuns", "turns"] {
            let error = failure(&format!("{kind}:127.0.0.1:{port}"), LONG);
            assert!(matches!(error, Failure::NoTrust(_)), "{kind}: {error:?}");
            assert_eq!(error.outcome(), IceOutcome::Untrusted, "{kind}");
        }
    }
}
