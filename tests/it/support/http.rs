//! HTTP/1.1 by hand: what is sent is exactly what the test wrote, what came back is seen whole.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
};

use serde_json::Value;

use super::wait::PATIENCE;

/// A response, read to its end (a 101 only to the end of its head).
#[derive(Debug, Clone)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    /// The first header of that name, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The header, which must be there.
    #[track_caller]
    pub(crate) fn needs(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The body of a refusal: checked to be complete, its `error` object returned.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], code, "{self:?}");
        for key in ["category", "message", "requestId"] {
            assert!(error[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {self:?}");
        }
        assert!(error["retryable"].is_boolean(), "{self:?}");
        assert_eq!(error["requestId"], self.needs("X-Request-Id"), "{self:?}");
        error
    }
}

/// Connects with deadlines, so that no test hangs.
#[track_caller]
pub(crate) fn dial(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap_or_else(|e| panic!("connect to {to}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// [`dial`] from one of this machine's many addresses: the whole of 127.0.0.0/8 is this machine.
#[track_caller]
pub(crate) fn dial_from(from: Ipv4Addr, to: SocketAddr) -> TcpStream {
    try_dial_from(from, to).unwrap_or_else(|e| panic!("connect from {from} to {to}: {e}"))
}

/// The same, where a refusal is no surprise.
pub(crate) fn try_dial_from(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// [`dial`] with a receive buffer as small as the kernel allows, so that who does not read is soon felt.
#[track_caller]
pub(crate) fn dial_with_small_buffer(to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::for_address(to), socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect_timeout(&to.into(), PATIENCE).unwrap_or_else(|e| panic!("connect to {to}: {e}"));
    let stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a request as it stands and reads the answer.
#[track_caller]
pub(crate) fn exchange(to: SocketAddr, request: &str) -> Response {
    let mut stream = dial(to);
    stream.write_all(request.as_bytes()).unwrap();
    read_response(&mut BufReader::new(stream)).unwrap_or_else(|e| panic!("no answer to {request:?}: {e}"))
}

/// A plain GET on a connection of its own.
#[track_caller]
pub(crate) fn get(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    let headers: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    exchange(to, &format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n{headers}\r\n"))
}

/// Reads a head, and the body if the status has one.
pub(crate) fn read_response(from: &mut BufReader<TcpStream>) -> std::io::Result<Response> {
    let status_line = read_line(from)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad(&status_line))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(from)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: String::new() };
    if status != 101 {
        response.body = read_body(from, &response)?;
    }
    Ok(response)
}

fn read_body(from: &mut BufReader<TcpStream>, head: &Response) -> std::io::Result<String> {
    let mut body = Vec::new();
    if let Some(length) = head.header("content-length") {
        let length: u64 = length.parse().map_err(|_| bad(length))?;
        from.take(length).read_to_end(&mut body)?;
    } else if head.header("transfer-encoding") == Some("chunked") {
        read_chunks(from, &mut body)?;
    } else {
        from.read_to_end(&mut body)?;
    }
    String::from_utf8(body).map_err(|_| bad("a body that is not UTF-8"))
}

fn read_chunks(from: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        let size = read_line(from)?;
        let size = u64::from_str_radix(&size, 16).map_err(|_| bad(&size))?;
        from.take(size).read_to_end(body)?;
        read_line(from)?;
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_line(from: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn bad(what: &str) -> std::io::Error {
    std::io::Error::other(format!("not HTTP: {what:?}"))
}
