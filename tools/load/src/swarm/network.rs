//! Client sockets: from many source addresses, for one address has only some 28 000 ports towards one server.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

/// Hands out source addresses 127.1.0.1, 127.1.0.2, … by turns.
#[derive(Debug)]
pub struct Sources {
    addresses: u16,
    next: u16,
}

impl Sources {
    /// `addresses` of them, at least one and at most 250.
    #[must_use]
    pub fn new(addresses: u16) -> Self {
        Self { addresses: addresses.clamp(1, 250), next: 0 }
    }

    fn next(&mut self) -> Ipv4Addr {
        let address = Ipv4Addr::new(127, 1, 0, self.next as u8 + 1);
        self.next = (self.next + 1) % self.addresses;
        address
    }

    /// Starts to connect; the socket is writable once it has come about.
    pub(super) fn connect(&mut self, target: SocketAddr) -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // Other machines are reached from whatever address routing chooses.
        if target.ip().is_loopback() && target.is_ipv4() {
            socket.bind(&SocketAddr::V4(SocketAddrV4::new(self.next(), 0)).into())?;
        }
        match socket.connect(&target.into()) {
            Err(e) if e.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(e),
            _ => Ok(TcpStream::from_std(socket.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_by_turns_and_are_really_used() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sources = Sources::new(2);
        let mut seen = Vec::new();
        for _ in 0..3 {
            let _client = sources.connect(listener.local_addr().unwrap()).unwrap();
            seen.push(listener.accept().unwrap().1.ip().to_string());
        }
        assert_eq!(seen, ["127.1.0.1", "127.1.0.2", "127.1.0.1"]);
    }
}
