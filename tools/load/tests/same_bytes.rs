//! The baseline beside the real server: what both send is as long, byte for byte, or the comparison is of different work.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use switchboard::config::Settings;
use switchboard_load::{
    baseline::{Baseline, Options},
    ws::{
        frame::{Head, Opcode, append_masked},
        handshake,
    },
};

const PATIENCE: Duration = Duration::from_secs(60);

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn the_baseline_sends_as_many_bytes_as_the_server() {
    let [public, ops] = [free_port(), free_port()];
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compare/switchboard.toml");
    let names = ["SERVER__PORT", "OPS__PORT", "LOG__LEVEL"].map(|name| format!("SWITCHBOARD__{name}"));
    let values = [public.port().to_string(), ops.port().to_string(), "error".into()];
    let settings = Settings::load(Some(&file), names.into_iter().zip(values)).unwrap();
    let server = Baseline::bind_as(Options { address: free_port(), ping: 0 }, &settings).unwrap();
    let baseline = server.address().unwrap();
    // Both end with the process.
    thread::spawn(|| server.run());
    let unchanged = settings.clone();
    let read_again = move || Ok((unchanged.clone(), Vec::new()));
    thread::spawn(|| switchboard::app::run(settings, read_again).map_err(|error| panic!("{error}")));
    let began = Instant::now();
    while TcpStream::connect(public).is_err() {
        assert!(began.elapsed() < PATIENCE, "the server does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(sent_by(baseline), sent_by(public));
}

/// How long each frame is that a server sends one client that joins and is joined, is sent a message and is left.
fn sent_by(server: SocketAddr) -> Vec<(&'static str, usize)> {
    let connect = || {
        let mut socket = TcpStream::connect(server).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = Vec::new();
        handshake::request(&mut request, server, "/ws", Some("switchboard.v1"));
        socket.write_all(&request).unwrap();
        socket
    };
    let send = |mut socket: &TcpStream, text: &str| {
        let mut frame = Vec::new();
        append_masked(&mut frame, Opcode::Text, text.as_bytes());
        socket.write_all(&frame).unwrap();
    };
    let [mut one, mut two] = [connect(), connect()];
    let mut lengths =
        vec![("the answer to the upgrade, and welcome", received(&mut one)), ("the same", received(&mut two))];
    send(&one, r#"{"type":"join","room":"the-same"}"#);
    lengths.push(("joined, alone", received(&mut one)));
    send(&two, r#"{"type":"join","room":"the-same"}"#);
    lengths.push(("joined, as the second", received(&mut two)));
    lengths.push(("peer_joined", received(&mut one)));
    send(&two, r#"{"type":"signal","to":"*","kind":"app","data":{"n":1}}"#);
    lengths.push(("a broadcast", received(&mut one)));
    drop(two);
    lengths.push(("peer_left", received(&mut one)));
    lengths
}

/// How long the next frame is, the answer to the upgrade included.
fn received(socket: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    loop {
        let mut next = [0];
        socket.read_exact(&mut next).unwrap();
        bytes.extend_from_slice(&next);
        let upgrade = bytes.starts_with(b"HTTP");
        let start = if upgrade { handshake::head_length(&bytes).unwrap().unwrap_or(bytes.len()) } else { 0 };
        if let Ok(Some(head)) = Head::parse(&bytes[start..])
            && bytes.len() == start + head.total()
        {
            return bytes.len();
        }
    }
}
