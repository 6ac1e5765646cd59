//! How a server is spoken to: datagrams, a stream, or one with TLS.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use super::{
    failure::Failure,
    secure::{SecureStream, Trust},
};

/// What is read at once: as much as any answer.
pub(super) const LONGEST: usize = 2048;
/// The shortest wait that a socket takes: 0 would be for ever.
const SHORTEST: Duration = Duration::from_millis(1);

/// An open way to one server.
pub(super) enum Link {
    /// UDP.
    Datagrams(UdpSocket),
    /// TCP.
    Stream(TcpStream),
    /// TLS over TCP.
    Secure(SecureStream),
}

impl Link {
    /// By UDP. That nobody listens is told by the first read.
    pub(super) fn udp(server: SocketAddr) -> io::Result<Self> {
        let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(server)?;
        Ok(Self::Datagrams(socket))
    }

    /// By TCP; it is connected to within `patience`.
    pub(super) fn tcp(server: SocketAddr, patience: Duration) -> io::Result<Self> {
        Self::connect(server, patience).map(Self::Stream)
    }

    /// By TLS over TCP, to whoever proves to be `host`; all of that within `patience`.
    pub(super) fn tls(server: SocketAddr, host: &str, trust: &Trust<'_>, patience: Duration) -> Result<Self, Failure> {
        let until = Instant::now() + patience;
        let stream = Self::connect(server, patience)?;
        let left = until.saturating_duration_since(Instant::now());
        SecureStream::over(stream, host, trust, left).map(Self::Secure)
    }

    fn connect(server: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&server, patience.max(SHORTEST))?;
        stream.set_write_timeout(Some(patience.max(SHORTEST)))?;
        Ok(stream)
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Stream(stream) => stream.local_addr(),
            Self::Secure(stream) => stream.tcp().local_addr(),
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Datagrams(socket) => socket.send(bytes).map(|_| ())?,
            Self::Stream(stream) => stream.write_all(bytes)?,
            Self::Secure(stream) => stream.send(bytes)?,
        }
        Ok(())
    }

    /// What came within `wait`; `None` if nothing did.
    pub(super) fn receive(&mut self, buffer: &mut [u8; LONGEST], wait: Duration) -> Result<Option<usize>, Failure> {
        let wait = wait.max(SHORTEST);
        let read = match self {
            Self::Datagrams(socket) => {
                socket.set_read_timeout(Some(wait))?;
                socket.recv(buffer)
            }
            Self::Stream(stream) => {
                stream.set_read_timeout(Some(wait))?;
                match stream.read(buffer) {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read,
                }
            }
            Self::Secure(stream) => return stream.receive(buffer, wait),
        };
        match read {
            Ok(length) => Ok(Some(length)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
