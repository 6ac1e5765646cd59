//! The PROXY protocol, versions 1 and 2: what a balancer that passes TCP on says first of who is at its other end
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
//!
//! Read by sixty lines of our own: where the header ends must be known before any of it is believed, since it may come in
//! pieces and the request comes behind it; what a crate (`ppp`, `proxy-header`) would do then is split a line at its spaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::{Buf, BytesMut};

use super::head::{self, NoHead, PROXY_V1, PROXY_V2, begins};
use crate::{telemetry::Rejection, ws::AnySocket};

/// Longest line of version 1, with its end.
const LINE: usize = 107;
/// Version 2 before its addresses: the signature, version and command, family and transport, length of the rest.
const FIXED: usize = 16;

/// Version and command of a proxy that speaks for itself.
const LOCAL: u8 = 0x20;

/// A whole header.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Its bytes.
    length: usize,
    /// `None`: the proxy itself, or somebody who is not named in a way that can be used.
    client: Option<SocketAddr>,
}

/// Who is at the other end, by a whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Named {
    /// This client.
    Client(SocketAddr),
    /// The proxy itself (`LOCAL`): it asks on nobody's behalf, or says in HTTP on whose.
    Itself,
    /// Somebody whose address the proxy cannot say. The request may be that client's own, as it wrote it.
    Nobody,
}

/// Reads the header off the socket, and leaves in `got` what came behind it.
pub(in crate::http) async fn read(socket: &mut AnySocket, most: usize, got: &mut BytesMut) -> Result<Named, NoHead> {
    loop {
        if let Some(header) = look(got, most).map_err(NoHead::Rejected)? {
            let named = header.names(got);
            got.advance(header.length);
            return Ok(named);
        }
        head::more(socket, most, Rejection::BadProxyHeader, got).await?;
    }
}

impl Header {
    /// `got` begins with it.
    fn names(&self, got: &[u8]) -> Named {
        let is_local = begins(got, PROXY_V2) == Some(true) && got.get(PROXY_V2.len()) == Some(&LOCAL);
        match self.client {
            Some(client) => Named::Client(client),
            None if is_local => Named::Itself,
            None => Named::Nobody,
        }
    }
}

/// The header, as soon as all of it is there.
fn look(got: &[u8], most: usize) -> Result<Option<Header>, Rejection> {
    match (begins(got, PROXY_V2), begins(got, PROXY_V1)) {
        (Some(true), _) => binary(got, most),
        (_, Some(true)) => line(got),
        (Some(false), Some(false)) => Err(Rejection::NoProxyHeader),
        _ => Ok(None),
    }
}

/// Version 1.
fn line(got: &[u8]) -> Result<Option<Header>, Rejection> {
    let Some(end) = got.iter().take(LINE).position(|byte| *byte == b'\n') else {
        return if got.len() < LINE { Ok(None) } else { Err(Rejection::BadProxyHeader) };
    };
    let text = std::str::from_utf8(&got[PROXY_V1.len()..end]).ok().and_then(|text| text.strip_suffix('\r'));
    let text = text.ok_or(Rejection::BadProxyHeader)?;
    let client = match text.split(' ').next() {
        // Whatever else it says is to be ignored.
        Some("UNKNOWN") => None,
        _ => named_by_line(text).map(|(ip, port)| known(ip, port)).ok_or(Rejection::BadProxyHeader)?,
    };
    Ok(Some(Header { length: end + 1, client }))
}

/// Who is named by a line, without its beginning and end.
fn named_by_line(text: &str) -> Option<(IpAddr, u16)> {
    let mut words = text.split(' ');
    let [family, source, destination, source_port, destination_port] = std::array::from_fn(|_| words.next());
    let (source, _): (IpAddr, IpAddr) = (source?.parse().ok()?, destination?.parse().ok()?);
    let (port, _) = (port(source_port?)?, port(destination_port?)?);
    let fits = if source.is_ipv4() { family == Some("TCP4") } else { family == Some("TCP6") };
    (fits && words.next().is_none()).then_some((source, port))
}

/// Digits only: `parse` would take a sign, too.
fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Version 2. What stands behind the addresses (TLS, the host that was asked for) is passed over.
fn binary(got: &[u8], most: usize) -> Result<Option<Header>, Rejection> {
    let Some(fixed) = got.get(PROXY_V2.len()..FIXED) else { return Ok(None) };
    let (command, family) = (fixed[0], fixed[1]);
    let length = FIXED + usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if !matches!(command, LOCAL | 0x21) || length > most {
        return Err(Rejection::BadProxyHeader);
    }
    let Some(addresses) = got.get(FIXED..length) else { return Ok(None) };
    let named: Option<(IpAddr, u16)> = match (command, family) {
        // TCP over IPv4, and over IPv6: both addresses, then both ports.
        (0x21, 0x11) => named::<4>(addresses, 8).map(|(ip, port)| (Ipv4Addr::from(ip).into(), port)),
        (0x21, 0x21) => named::<16>(addresses, 32).map(|(ip, port)| (Ipv6Addr::from(ip).into(), port)),
        // The proxy's own checks, sockets of its machine, and what a later version may bring.
        _ => return Ok(Some(Header { length, client: None })),
    };
    let (ip, port) = named.ok_or(Rejection::BadProxyHeader)?;
    Ok(Some(Header { length, client: known(ip, port) }))
}

fn named<const N: usize>(addresses: &[u8], ports: usize) -> Option<([u8; N], u16)> {
    let (ip, port) = (addresses.first_chunk::<N>()?, addresses.get(ports..ports + 4)?);
    Some((*ip, u16::from_be_bytes([port[0], port[1]])))
}

/// Nobody asks from the unspecified address.
fn known(ip: IpAddr, port: u16) -> Option<SocketAddr> {
    let ip = ip.to_canonical();
    (!ip.is_unspecified()).then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
#[path = "proxy_protocol_tests.rs"]
mod tests;
