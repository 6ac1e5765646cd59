//! How a TURN server is spoken to: datagrams, or a stream.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
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
        let stream = TcpStream::connect_timeout(&server, patience.max(SHORTEST))?;
        stream.set_write_timeout(Some(patience.max(SHORTEST)))?;
        Ok(Self::Stream(stream))
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Stream(stream) => stream.local_addr(),
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(bytes).map(|_| ()),
            Self::Stream(stream) => stream.write_all(bytes),
        }
    }

    /// What came within `wait`; `None` if nothing did.
    pub(super) fn receive(&mut self, buffer: &mut [u8; LONGEST], wait: Duration) -> io::Result<Option<usize>> {
        let wait = Some(wait.max(SHORTEST));
        let read = match self {
            Self::Datagrams(socket) => {
                socket.set_read_timeout(wait)?;
                socket.recv(buffer)
            }
            Self::Stream(stream) => {
                stream.set_read_timeout(wait)?;
                match stream.read(buffer) {
                    Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                    read => read,
                }
            }
        };
        match read {
            Ok(length) => Ok(Some(length)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
