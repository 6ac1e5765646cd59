//! `switchboard --probe`: asks the server on this machine whether it lives; `switchboard stun --probe`, the STUN responder. For a container's health check, where there
//! is no curl.
//!
//! It asks where the server listens. A health check is started with the variables of the server and without its
//! arguments: what it cannot know by itself it learns from the server's process (`running.rs`).

mod running;
mod tls;

use std::{
    fmt, io,
    io::{Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    path::Path,
    time::{Duration, Instant},
};

use self::running::Place;
use crate::{
    config::{ConfigError, Network, Settings, Stun, asked_at},
    stun::ask,
};

/// Connecting, asking and hearing take no longer than this together: less than the 5 s after which a container's health
/// check is ended before it has said anything.
const PATIENCE: Duration = Duration::from_secs(4);
/// What is read of an answer: enough for its status and its one line.
const LONGEST: usize = 4096;
/// What a proxy says that asks on its own behalf, by the PROXY protocol.
const FOR_ITSELF: &[u8] = b"PROXY UNKNOWN\r\n";

/// Why a server is not known to live.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The settings of this process, which say where to ask.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody lives there, for all that can be told.
    #[error("{asked}: {found}{}", Noted(note))]
    NotAlive {
        /// What was asked.
        asked: String,
        /// What was found instead of a server that lives.
        found: String,
        /// What should be known of where it was looked for.
        note: Option<String>,
    },
}

/// Asks `/healthz` where the server listens that was started as this process is, and says what was asked and answered.
///
/// # Errors
/// The settings are not sound; nobody there, no answer in time, or another answer than 200.
pub fn probe(file: Option<&Path>, environment: &[(String, String)]) -> Result<String, ProbeError> {
    let own = Settings::load(file, environment.iter().cloned())?;
    let place = running::place(&own, file, environment);
    let scheme = if place.tls.first() == Some(&true) { "https" } else { "http" };
    let asked = |address: &str| format!("GET {scheme}://{address}/healthz");
    let name = authority(&place.host, place.port);
    if place.port == 0 {
        let found = "server.port is 0, and no server of this user is found that listens by these settings".to_owned();
        return Err(ProbeError::NotAlive { asked: asked(&name), found, note: place.note });
    }
    let deadline = Instant::now() + PATIENCE;
    let mut failed = None;
    for address in addresses(&place.host, place.port).unwrap_or_default() {
        match ask_in_every_way(address, &place, deadline) {
            Ok(Answer { status: 200, line }) => return Ok(format!("{}: 200 {line}\n", asked(&address.to_string()))),
            Ok(answer) => failed = Some((address, answer.to_string())),
            // Of several addresses the first one's failure is told, unless a later one answers.
            Err(error) => failed = failed.or(Some((address, error.to_string()))),
        }
    }
    let (asked, found) = match failed {
        Some((address, found)) => (asked(&address.to_string()), found),
        None => (asked(&name), "the host has no address".to_owned()),
    };
    Err(ProbeError::NotAlive { asked, found, note: place.note })
}

/// Of a server that chose its ports it may be the operators', where nobody is a proxy, and TLS is spoken or not by other keys. The
/// first answer is told, unless another way brings a better one.
fn ask_in_every_way(address: SocketAddr, place: &Place, deadline: Instant) -> io::Result<Answer> {
    let proxied = (!place.proxies.is_empty()).then_some(&place.proxies[..]);
    let ways =
        proxied.into_iter().chain([&[][..]]).flat_map(|proxies| place.tls.iter().map(move |tls| (proxies, *tls)));
    let mut told = None;
    for (proxies, tls) in ways {
        match ask(address, proxies, tls, deadline) {
            answer @ (Ok(Answer { status: 400, .. }) | Err(_)) => told = told.or(Some(answer)),
            answer => return answer,
        }
    }
    told.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))
}

/// Sends a Binding request to where `switchboard stun` answers with these settings, and says what was asked and answered. With
/// `stun.port` at 0 there is nobody to ask, and nothing wrong with that.
///
/// # Errors
/// It does not answer in time.
pub fn probe_stun(stun: &Stun) -> Result<String, ProbeError> {
    let asked = |address: &str| format!("STUN Binding request to {address}");
    let name = authority(&stun.host, stun.port);
    let not_alive = |address: &str, found: String| ProbeError::NotAlive { asked: asked(address), found, note: None };
    if stun.port == 0 {
        return Ok("stun.port is 0: there is no responder to ask\n".to_owned());
    }
    let address = addresses(&stun.host, stun.port).unwrap_or_default().into_iter().next();
    let address = address.ok_or_else(|| not_alive(&name, "the host has no address".to_owned()))?;
    let seen = ask::binding(address, PATIENCE).map_err(|error| not_alive(&address.to_string(), error.to_string()))?;
    Ok(format!("{}: seen as {seen}\n", asked(&address.to_string())))
}

/// What came back.
struct Answer {
    status: u16,
    line: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.line)
    }
}

struct Noted<'a>(&'a Option<String>);

impl fmt::Display for Noted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |note| write!(f, " ({note})"))
    }
}

fn ask(address: SocketAddr, proxies: &[Network], tls: bool, deadline: Instant) -> io::Result<Answer> {
    let tcp = TcpStream::connect_timeout(&address, left(deadline)?)?;
    let from = tcp.local_addr()?.ip();
    let mut timed = Timed { tcp, deadline };
    if proxies.iter().any(|proxies| proxies.contains(from)) {
        timed.write_all(FOR_ITSELF)?;
    }
    if tls { ask_over(tls::secure(timed, address.ip())?, address) } else { ask_over(timed, address) }
}

fn ask_over(mut stream: impl Read + Write, address: SocketAddr) -> io::Result<Answer> {
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut piece = [0; 512];
    let ended = loop {
        if answer.len() >= LONGEST || is_whole(&answer) {
            break Ok(());
        }
        match stream.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) => break Err(error),
        }
    };
    match read_answer(&answer) {
        Some(answer) => Ok(answer),
        None => ended.and(Err(io::Error::other("what answers there speaks no HTTP"))),
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")),
        left => Ok(left),
    }
}

/// A connection on which nothing takes longer than until then.
struct Timed {
    tcp: TcpStream,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            self.tcp.set_read_timeout(Some(left(self.deadline)?))?;
            match self.tcp.read(into) {
                // How Linux says that the time is over: `left` says it in words.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.set_write_timeout(Some(left(self.deadline)?))?;
        self.tcp.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether all of it is there, though the connection stays open.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok()).flatten()
    });
    length.is_some_and(|length: usize| body.len() >= length)
}

/// The status, and the first line of the body if it came.
fn read_answer(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let line = body.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    Some(Answer { status, line })
}

/// Where to connect. Of a name's addresses the server listens on one.
fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = (host, port).to_socket_addrs()?;
    Ok(found.flat_map(|found| asked_at(found.ip()).into_iter().map(move |ip| SocketAddr::new(ip, port))).collect())
}

/// As a URL has it.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_asked_on_loopback() {
        let asked = |host: &str| addresses(host, 80).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(asked("0.0.0.0"), ["127.0.0.1:80"]);
        assert_eq!(asked("::"), ["[::1]:80", "127.0.0.1:80"]);
        assert_eq!(asked("127.0.0.2"), ["127.0.0.2:80"]);
        assert_eq!(asked("::1"), ["[::1]:80"]);
        assert!(asked("localhost").contains(&"127.0.0.1:80".to_owned()));
        assert_eq!((authority("::1", 80), authority("a", 80)), ("[::1]:80".to_owned(), "a:80".to_owned()));
    }

    #[test]
    fn an_answer_is_its_status_and_its_line() {
        let read = |text: &str| read_answer(text.as_bytes()).map(|answer| answer.to_string());
        assert_eq!(read("HTTP/1.1 200 OK\r\nX: y\r\n\r\nok").as_deref(), Some("200 ok"));
        assert_eq!(read("HTTP/1.1 503 Service Unavailable\r\n\r\na\u{1b}b\nc").as_deref(), Some("503 ab"));
        assert_eq!(read("HTTP/1.0 204").as_deref(), Some("204 "));
        for other in ["", "HTTP/1.1", "SSH-2.0-x\r\n", "\u{15}\u{3}\u{1}", "HTTP/1.1 abc"] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
