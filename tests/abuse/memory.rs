//! Floods that stay within every limit and would fill memory all together.

use std::{
    io::{BufReader, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    rooms::{join_with, resumable},
    stage::{FLOODER, Stage, get_from, peer_from, scaled, server, try_dial_from},
    support::{
        Builder, PATIENCE, Scrape, TestPeer, eventually,
        http::read_response,
        ws::{Frame, Handshake, first, frame, head},
    },
};

/// A peer that holds little.
const INNOCENT: Ipv4Addr = Ipv4Addr::new(127, 55, 0, 2);
/// What each flooder leaves with the server.
const PARTIAL: usize = 60_000;

/// `limits.memory_bytes`, in MiB.
fn budget_mib() -> u64 {
    scaled(32, 256)
}

fn small() -> Builder {
    server().set("limits.memory_bytes", budget_mib() << 20).set("limits.handshake_burst", 20_000)
}

/// What the process may have grown by at most.
fn entitled_kib() -> u64 {
    (budget_mib() << 10) * 115 / 100
}

/// One of the addresses that floods come from.
fn address(number: usize) -> Ipv4Addr {
    let last = u32::try_from(1 + number % 8).expect("few");
    Ipv4Addr::from_bits((FLOODER.to_bits() & !0xff) | last)
}

/// A connection that is let in, if there is memory for it.
fn flooder(number: usize, to: SocketAddr) -> Option<TcpStream> {
    let mut stream = try_dial_from(address(number), to).ok()?;
    stream.write_all(&Handshake::new().bytes()).ok()?;
    let mut stream = BufReader::new(stream);
    let response = read_response(&mut stream).ok()?;
    (response.status == 101).then(|| stream.into_inner())
}

/// Whether the server has ended it.
fn is_ended(mut stream: &TcpStream) -> bool {
    let _ = stream.set_nonblocking(true);
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Frames of which the last byte never comes.
#[test]
fn frames_that_do_not_end() {
    let count = scaled(900, 10_000);
    let mut stage = Stage::set(small());
    let (came, ended) = stage.during_pressure(|public, _| {
        let partial = [head(first::TEXT, PARTIAL as u64 + 1, true), vec![b'x'; PARTIAL]].concat();
        let mut flooders: Vec<_> = (0..count).filter_map(|number| flooder(number, public)).collect();
        for flooder in &mut flooders {
            // One that is read no further takes what its kernel takes.
            let _ = flooder.set_write_timeout(Some(Duration::from_millis(50)));
            let _ = flooder.write_all(&partial);
        }
        let ended = flooders.iter().filter(|flooder| is_ended(flooder)).count();
        (flooders.len(), ended)
    });
    println!("frames that do not end: {ended} of {came} connections were ended");
    stage.counted("switchboard_memory_relief_total", "step=\"end_connections\"", 1.0);
    stage.recovers();
    stage.ends("frames that do not end", entitled_kib());
}

/// Pings as fast as they go; the pongs are not read.
#[test]
fn pongs_that_are_not_read() {
    let (count, time) = scaled((300, Duration::from_secs(4)), (10_000, Duration::from_secs(20)));
    let mut stage = Stage::set(small());
    stage.during_pressure(|public, _| {
        let pings = frame(first::PING, &[b'x'; 125]).repeat(64);
        let mut flooders: Vec<_> = (0..count).filter_map(|number| flooder(number, public)).collect();
        for flooder in &flooders {
            let _ = flooder.set_nonblocking(true);
        }
        let until = Instant::now() + time;
        while Instant::now() < until {
            for flooder in &mut flooders {
                // It takes what it takes, until it is ended.
                let _ = flooder.write(&pings);
            }
        }
    });
    stage.recovers();
    stage.ends("pongs that are not read", entitled_kib());
}

/// Peers that can be resumed, never acknowledge, and are fed by one of their own.
#[test]
fn frames_that_are_not_acknowledged() {
    let rooms = scaled(16_usize, 120);
    let mut stage = Stage::set(small());
    let (mut innocent, token) = resumable(INNOCENT, stage.server.public, "innocent").expect("it joins");
    stage.during_pressure(|public, ops| {
        let fed: Vec<_> = (0..rooms).flat_map(|room| feed(room, public)).collect();
        // What is fed is handled some time later.
        eventually("resume buffers are emptied", || {
            let answer = get_from(FLOODER, ops, "/metrics").map_err(|error| error.to_string())?;
            match Scrape::read(&answer.body).sum("switchboard_memory_relief_total", "step=\"empty_resume_buffers\"") {
                0.0 => Err("none was".to_owned()),
                _ => Ok(()),
            }
        });
        drop(fed);
    });
    stage.recovers();
    innocent.hear_nothing();
    let mut back = peer_from(INNOCENT, stage.server.public);
    let joined = back.join_saying(&join_with(&token, "innocent"));
    assert_eq!(joined["complete"], true, "{}", joined.text);
    drop((innocent, back));
    stage.ends("frames that are not acknowledged", entitled_kib());
}

/// A room of ten; one of them sends the others as much as is kept for each. As far as they are let in.
fn feed(room: usize, to: SocketAddr) -> Vec<TestPeer> {
    let name = format!("fed-{room}");
    let mut peers: Vec<_> = (0..10).filter_map(|_| enter(flooder(room, to)?, &name)).collect();
    let ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
    let Some((feeder, _)) = peers.split_last_mut() else { return peers };
    let payload = "x".repeat(PARTIAL);
    for other in ids[..ids.len() - 1].iter().cycle().take(9 * 9) {
        let signal = json!({"type": "signal", "to": other, "kind": "app", "data": payload}).to_string();
        if feeder.try_send(&frame(first::TEXT, signal.as_bytes())).is_err() {
            break;
        }
    }
    peers
}

/// Joins the room, and shows that its `joined` arrived: when its socket is gone, it is waited for. `None`: it was ended, as a
/// flooder may be.
fn enter(stream: TcpStream, room: &str) -> Option<TestPeer> {
    let mut peer = TestPeer::on(BufReader::new(stream));
    let say = |peer: &mut TestPeer, json: &Value| peer.try_send(&frame(first::TEXT, json.to_string().as_bytes())).ok();
    say(&mut peer, &json!({"type": "join", "room": room, "resumable": true}))?;
    loop {
        let Ok(Frame::Text(text)) = peer.next(PATIENCE) else { return None };
        let heard: Value = serde_json::from_str(&text).expect("JSON");
        if heard["type"] == "joined" {
            heard["self"]["id"].as_str()?.clone_into(&mut peer.id);
            say(&mut peer, &json!({"type": "ping", "ack": 0}))?;
            return Some(peer);
        }
    }
}
