//! Headers whole and in pieces, and what resembles one.

use super::*;

/// Bytes that a header of version 2 may have in these tests.
const MOST: usize = 300;

/// What becomes of these bytes, whole and in pieces.
fn looked(bytes: &[u8]) -> Result<Option<Header>, Rejection> {
    let in_pieces = |size: usize| {
        let mut ends = (size..bytes.len()).step_by(size).chain([bytes.len()]);
        ends.find_map(|end| look(&bytes[..end], MOST).transpose()).transpose()
    };
    let whole = in_pieces(bytes.len().max(1));
    for size in [1, 2, 5, 13] {
        assert_eq!(in_pieces(size), whole, "in pieces of {size}: {bytes:?}");
    }
    whole
}

/// A header of version 2.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [PROXY_V2, &[command, family], &length, rest].concat()
}

fn ipv4() -> Vec<u8> {
    [&[203, 0, 113, 7][..], &[10, 0, 0, 1], &555_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
}

fn ipv6(source: &str) -> Vec<u8> {
    let bytes = |text: &str| text.parse::<Ipv6Addr>().unwrap().to_bits().to_be_bytes();
    [&bytes(source)[..], &bytes("fd00::1"), &555_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
}

#[test]
fn a_line_names_the_client_or_the_proxy_itself() {
    let longest = format!("UNKNOWN {0} {0} 65535 65535", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    for (line, client) in [
        ("TCP4 203.0.113.7 10.0.0.1 555 443", Some("203.0.113.7:555")),
        ("TCP4 203.0.113.7 10.0.0.1 0 65535", Some("203.0.113.7:0")),
        ("TCP6 2001:db8::7 fd00::1 555 443", Some("[2001:db8::7]:555")),
        ("TCP6 ::ffff:203.0.113.7 ::ffff:10.0.0.1 555 443", Some("203.0.113.7:555")),
        ("TCP4 0.0.0.0 0.0.0.0 0 0", None),
        ("UNKNOWN", None),
        ("UNKNOWN 203.0.113.7 anything", None),
        (&longest, None),
    ] {
        let line = format!("PROXY {line}\r\n");
        let header = Header { length: line.len(), client: client.map(|client| client.parse().unwrap()) };
        assert_eq!(looked(line.as_bytes()), Ok(Some(header)), "{line}");
        let behind = looked([&line, "GET / HTTP/1.1\r\n"].concat().as_bytes()).unwrap().unwrap();
        assert_eq!(behind.length, line.len(), "{line}");
    }
}

#[test]
fn a_line_that_is_none_is_refused() {
    let long = format!("PROXY UNKNOWN {}", "x".repeat(LINE));
    for line in [
        "PROXY TCP4 203.0.113.7 10.0.0.1 555\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 555 443 1\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 555 443 \r\n",
        "PROXY TCP4  203.0.113.7 10.0.0.1 555 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 +55 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 99999 443\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 555 443\n",
        "PROXY TCP4 203.0.113.256 10.0.0.1 555 443\r\n",
        "PROXY TCP4 2001:db8::7 fd00::1 555 443\r\n",
        "PROXY TCP6 203.0.113.7 10.0.0.1 555 443\r\n",
        "PROXY TCP5 203.0.113.7 10.0.0.1 555 443\r\n",
        "PROXY UDP4 203.0.113.7 10.0.0.1 555 443\r\n",
        "PROXY unknown\r\n",
        "PROXY \r\n",
        "PROXY \u{e4}\r\n",
        &long,
    ] {
        assert_eq!(looked(line.as_bytes()), Err(Rejection::BadProxyHeader), "{line:?}");
    }
}

#[test]
fn a_binary_header_names_the_client_or_the_proxy_itself() {
    let with_more = [ipv4(), vec![4, 0, 1, 9]].concat();
    for (header, client) in [
        (v2(0x21, 0x11, &ipv4()), Some("203.0.113.7:555")),
        (v2(0x21, 0x11, &with_more), Some("203.0.113.7:555")),
        (v2(0x21, 0x21, &ipv6("2001:db8::7")), Some("[2001:db8::7]:555")),
        (v2(0x21, 0x21, &ipv6("::ffff:203.0.113.7")), Some("203.0.113.7:555")),
        (v2(0x21, 0x21, &ipv6("::")), None),
        (v2(0x20, 0x00, &[]), None),
        (v2(0x20, 0x11, &ipv4()), None),
        (v2(0x21, 0x00, &[]), None),
        (v2(0x21, 0x12, &ipv4()), None),
        (v2(0x21, 0x31, &[0; 216]), None),
    ] {
        let found = Header { length: header.len(), client: client.map(|client| client.parse().unwrap()) };
        assert_eq!(looked(&[&header[..], b"GET"].concat()), Ok(Some(found)), "{header:?}");
    }
}

#[test]
fn what_is_no_header_is_known_as_soon_as_it_can_be_seen() {
    let too_long = v2(0x21, 0x11, &[0; MOST])[..FIXED].to_vec();
    for bad in [
        v2(0x11, 0x11, &ipv4()),
        v2(0x22, 0x11, &ipv4()),
        v2(0x21, 0x11, &ipv4()[..11]),
        v2(0x21, 0x21, &ipv4()),
        too_long,
    ] {
        assert_eq!(looked(&bad), Err(Rejection::BadProxyHeader), "{bad:?}");
    }
    for none in ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\x16\x03\x01", "proxy TCP4", "\r\n\r\n\0\r\nQUAT", "\n"] {
        assert_eq!(looked(none.as_bytes()), Err(Rejection::NoProxyHeader), "{none:?}");
    }
    for begun in ["", "P", "PROXY", "PROXY TCP4 203.0.113.7 10.0.0.1 555 ", "\r\n\r\n\0\r\nQUIT\n", "\r\n"] {
        assert_eq!(looked(begun.as_bytes()), Ok(None), "{begun:?}");
    }
}

#[test]
fn a_proxy_that_speaks_for_itself_is_told_from_one_that_names_nobody() {
    let client = Named::Client("203.0.113.7:555".parse().unwrap());
    for (header, named) in [
        (b"PROXY TCP4 203.0.113.7 10.0.0.1 555 443\r\n".to_vec(), client),
        (b"PROXY TCP4 0.0.0.0 10.0.0.1 555 443\r\n".to_vec(), Named::Nobody),
        (b"PROXY UNKNOWN\r\n".to_vec(), Named::Nobody),
        (b"PROXY UNKNOWN 203.0.113.7 10.0.0.1 555 443\r\n".to_vec(), Named::Nobody),
        (v2(0x21, 0x11, &ipv4()), client),
        (v2(0x21, 0x00, &[]), Named::Nobody),
        (v2(0x21, 0x12, &ipv4()), Named::Nobody),
        (v2(0x21, 0x31, &[0; 216]), Named::Nobody),
        (v2(0x20, 0x00, &[]), Named::Itself),
        (v2(0x20, 0x11, &ipv4()), Named::Itself),
    ] {
        assert_eq!(looked(&header).unwrap().unwrap().names(&header), named, "{header:?}");
    }
}
