//! A UDP socket that answers from the address that was asked: of several that a machine has, another one's answer would be
//! thrown away by the NAT of whoever asked, and by their browser.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    time::Duration,
};

use nix::{
    cmsg_space,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
        sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo},
    },
};
use socket2::{Domain, Protocol, Socket as Raw, Type};

/// One datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Datagram {
    /// How much of the buffer it fills; more than there was room for is `None`.
    pub(super) length: Option<usize>,
    /// Who sent it.
    pub(super) source: SocketAddr,
    /// Which of this machine's addresses it was sent to.
    pub(super) asked: Option<IpAddr>,
}

/// The socket.
#[derive(Debug)]
pub(super) struct Socket(UdpSocket);

impl Socket {
    /// Opens it on `address`; `::` takes IPv4 too. No wait for a datagram is longer than `patience`.
    pub(super) fn bind(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let raw = Raw::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            raw.set_only_v6(false)?;
            setsockopt(&raw, Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&raw, Ipv4PacketInfo, &true)?;
        }
        raw.bind(&address.into())?;
        let socket = UdpSocket::from(raw);
        socket.set_read_timeout(Some(patience))?;
        Ok(Self(socket))
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Waits for a datagram. `WouldBlock` when none came in time.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        let mut control = cmsg_space!(libc::in6_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let message =
            recvmsg::<SockaddrStorage>(self.0.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty())?;
        let source = message.address.as_ref().and_then(address_of);
        let source = source.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a datagram from nobody"))?;
        let asked = message.cmsgs()?.find_map(|part| match part {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into())
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into()),
            _ => None,
        });
        let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
        Ok(Datagram { length: whole.then_some(message.bytes), source, asked })
    }

    /// Sends `bytes` to where `datagram` came from, from where it went to. Never waits: an answer that there is no room for is
    /// asked for again.
    pub(super) fn answer(&self, bytes: &[u8], datagram: &Datagram) -> io::Result<()> {
        let to = SockaddrStorage::from(datagram.source);
        let with = |control: &[ControlMessage<'_>]| {
            let flags = MsgFlags::MSG_DONTWAIT;
            sendmsg(self.0.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, Some(&to)).map(|_| ())
        };
        let sent = match datagram.asked {
            Some(IpAddr::V4(from)) => {
                let address = libc::in_addr { s_addr: from.to_bits().to_be() };
                let any = libc::in_addr { s_addr: 0 };
                let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: address, ipi_addr: any };
                with(&[ControlMessage::Ipv4PacketInfo(&info)])
            }
            Some(IpAddr::V6(from)) => {
                let address = libc::in6_addr { s6_addr: from.to_bits().to_be_bytes() };
                let info = libc::in6_pktinfo { ipi6_addr: address, ipi6_ifindex: 0 };
                with(&[ControlMessage::Ipv6PacketInfo(&info)])
            }
            None => with(&[]),
        };
        Ok(sent?)
    }
}

fn address_of(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|address| SocketAddr::from(*address));
    v4.or_else(|| storage.as_sockaddr_in6().map(|address| SocketAddr::from(*address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn client(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind((address, 0)).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket
    }

    /// Asks `host` at the port of a socket on `listens`, and says who was seen asking which address. The client takes no answer
    /// but from the address that it asked: it is connected.
    fn asked(listens: &str, from: &str, host: &str) -> (IpAddr, IpAddr) {
        let address = SocketAddr::new(listens.parse().expect("an address"), 0);
        let socket = Socket::bind(address, PATIENCE).expect("a socket");
        let client = client(from);
        client.connect((host, socket.address().expect("an address").port())).expect("connect");
        client.send(b"question").expect("send");
        let mut buffer = [0; 32];
        let datagram = socket.receive(&mut buffer).expect("a datagram");
        assert_eq!(&buffer[..datagram.length.expect("all of it")], b"question");
        assert_eq!(datagram.source.port(), client.local_addr().expect("an address").port());
        socket.answer(b"answer", &datagram).expect("answer");
        assert_eq!(client.recv(&mut buffer).expect("an answer from where it was asked"), 6);
        (datagram.source.ip().to_canonical(), datagram.asked.expect("which address").to_canonical())
    }

    #[test]
    fn an_answer_comes_from_the_address_that_was_asked() {
        let local = |last: u8| IpAddr::from([127, 0, 0, last]);
        assert_eq!(asked("0.0.0.0", "127.0.0.1", "127.0.0.2"), (local(1), local(2)));
        assert_eq!(asked("127.0.0.1", "127.0.0.1", "127.0.0.1"), (local(1), local(1)));
        assert_eq!(asked("::", "127.0.0.1", "127.0.0.3"), (local(1), local(3)), "IPv4 on a socket of IPv6");
        assert_eq!(asked("::", "::1", "::1"), (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_datagram_that_is_too_long_is_not_taken_for_its_beginning() {
        let socket = Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), PATIENCE).expect("a socket");
        client("127.0.0.1").send_to(&[7; 33], socket.address().expect("an address")).expect("send");
        assert_eq!(socket.receive(&mut [0; 32]).expect("a datagram").length, None);
    }

    #[test]
    fn nothing_is_waited_for_longer_than_was_said() {
        let socket = Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Duration::from_millis(20)).expect("a socket");
        assert_eq!(socket.receive(&mut [0; 32]).expect_err("nothing").kind(), io::ErrorKind::WouldBlock);
    }
}
