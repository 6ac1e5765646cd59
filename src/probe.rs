//! `switchboard --probe`: asks the server on this machine whether it lives. For a container's health check, where there
//! is no curl.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use crate::config::Settings;

/// Connecting, asking and hearing may each take this long.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks `/healthz` on the configured public port.
///
/// # Errors
/// Nobody there, no answer in time, or another answer than 200.
pub fn healthz(settings: &Settings) -> io::Result<()> {
    let address = address(&settings.server.host, settings.server.port)?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    if head.ends_with(b" 200") { Ok(()) } else { Err(io::Error::other("the server says that it is not alive")) }
}

/// A wildcard address is listened on, never connected to.
fn address(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut address = (host, port).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    Ok(address)
}
