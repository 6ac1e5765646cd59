//! Requests that are refused, and clients that hide behind a proxy or in a large network.

use std::{
    fs,
    io::{BufReader, Write},
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    stage::{FLOODER, Stage, dial_from, get_from, scaled, server, try_dial_from},
    support::{http, temp_dir, ws::Handshake},
};

/// What one line of the log may have, in bytes.
const LINE_BYTES: u64 = 1024;

/// Does that again and again for so long. Returns how often.
fn again_and_again(time: Duration, mut once: impl FnMut()) -> u32 {
    let until = Instant::now() + time;
    let mut times = 0;
    while Instant::now() < until {
        once();
        times += 1;
    }
    times
}

/// What is written of refused handshakes.
fn bytes_of_refusals(file: &Path) -> u64 {
    let text = fs::read_to_string(file).expect("a file of the log");
    text.lines().filter(|line| line.contains("handshake_refused")).map(|line| line.len() as u64 + 1).sum()
}

/// One line for each refusal would let anybody fill the disk.
#[test]
fn handshakes_that_are_refused() {
    let time = scaled(Duration::from_secs(2), Duration::from_secs(10));
    let folder = temp_dir();
    let mut stage = Stage::set("handshakes_that_are_refused", 1, server().set("log.dir", folder.path().display()));
    let before = stage.counted("switchboard_handshakes_refused_total", "", 0.0);
    let tried = stage.during(|public, _| {
        again_and_again(time, || {
            if let Ok(stream) = try_dial_from(FLOODER, public) {
                Handshake::new().with("Sec-WebSocket-Key", "short").send_on(stream);
            }
        })
    });
    let counted = stage.counted("switchboard_handshakes_refused_total", "", before + f64::from(tried));
    assert_eq!(counted, before + f64::from(tried), "each is counted once");
    let written: u64 = fs::read_dir(folder.path())
        .expect("the log's folder")
        .map(|file| bytes_of_refusals(&file.expect("a file").path()))
        .sum();
    println!("handshakes that are refused: {tried}, and {written} bytes of log");
    assert!(written < 400 * LINE_BYTES, "{tried} refusals are {written} bytes of log");
    stage.ends(0);
}

/// Whoever reaches the operators' listener has few guesses at their token.
#[test]
fn guesses_at_the_operators_token() {
    let time = scaled(Duration::from_secs(2), Duration::from_secs(5));
    let folder = temp_dir();
    let token_file = folder.path().join("token");
    fs::write(&token_file, "the-operators-own-token\n").expect("write the token");
    let mut stage =
        Stage::set("guesses_at_the_operators_token", 1, server().set("ops.token_file", token_file.display()));
    let drain = |from, to: SocketAddr, token: &str| {
        let mut stream = dial_from(from, to);
        let request = "POST /admin/drain HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0\r\n";
        write!(stream, "{request}Host: {to}\r\nAuthorization: Bearer {token}\r\n\r\n").expect("write a request");
        http::read_response(&mut BufReader::new(stream)).expect("an answer").status
    };
    let (mut judged, mut slowed) = (0_u32, 0_u32);
    stage.during(|_, ops| {
        again_and_again(time, || match drain(FLOODER, ops, "a-token-that-was-guessed") {
            401 => judged += 1,
            429 => slowed += 1,
            other => panic!("a guess is answered with {other}"),
        })
    });
    println!("guesses at the operators' token: {judged} were judged, {slowed} sent away");
    assert!(judged <= 120 && slowed > 0, "{judged} guesses in {time:?} were judged, {slowed} sent away");
    stage.counted("switchboard_ops_denied_total", "reason=\"token\"", f64::from(judged));
    let lines = stage.server.log().lines().iter().filter(|line| line.text.contains("denied")).count();
    assert!((1..200).contains(&lines), "{lines} lines for {} guesses", judged + slowed);
    stage.holds(0);
    // The operator is elsewhere, and has the token.
    let operator = std::net::Ipv4Addr::new(127, 44, 0, 1);
    assert_eq!(drain(operator, stage.server.ops, "the-operators-own-token"), 202);
}

/// A proxy that does not name its clients is one client.
#[test]
fn a_proxy_that_names_nobody() {
    let most = scaled(20_usize, 200);
    let invented = "127.0.0.1, 127.0.0.2, 127.0.0.3, 127.0.0.4, 127.0.0.5, 127.0.0.6, 127.0.0.7, 127.0.0.8";
    for forwarded in [None, Some(""), Some("unknown"), Some("_hidden, nonsense"), Some(invented)] {
        let server = server().set("limits.connections_per_address", most).set("http.trusted_proxies", "127.66.0.0/16");
        let mut stage = Stage::set("a_proxy_that_names_nobody", 1, server.set("limits.exempt_loopback", false));
        let admitted = stage.during(|public, _| {
            let handshake = forwarded.map_or_else(Handshake::new, |by| Handshake::new().with("X-Forwarded-For", by));
            let all: Vec<_> = (0..2 * most).map(|_| handshake.send_on(dial_from(FLOODER, public))).collect();
            all.iter().filter(|(answer, _)| answer.status == 101).count()
        });
        assert_eq!(admitted, most, "of a proxy that says {forwarded:?}");
        stage.ends(16 * most as u64);
    }
}

/// Five neighbours of one /56 have the share of four.
#[test]
fn neighbouring_networks() {
    let each = scaled(10_usize, 400);
    let server = server().set("limits.connections_per_address", each).set("http.trusted_proxies", "127.66.0.0/16");
    let mut stage = Stage::set("neighbouring_networks", 1, server.set("limits.handshake_burst", 10 * each));
    let admitted = stage.during(|public, _| {
        let clients = (0..5 * each).map(|number| format!("2001:db8:0:{:x}::1", number % 5));
        let all: Vec<_> = clients
            .map(|client| Handshake::new().with("X-Forwarded-For", &client).send_on(dial_from(FLOODER, public)))
            .collect();
        all.iter().filter(|(answer, _)| answer.status == 101).count()
    });
    assert_eq!(admitted, 4 * each);
    assert_eq!(get_from(FLOODER, stage.server.public, "/healthz").expect("an answer").status, 200);
    stage.ends(16 * 4 * each as u64);
}
