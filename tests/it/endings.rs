//! Every way a connection can end, for a peer that may be resumed and for one that may not: the others hear of it once and
//! with the right reason, the log has one line, the metrics one count, and the seat is free again.

use std::{
    io::Write,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Builder, PATIENCE, TestPeer, TestServer, eventually,
    http::dial_with_small_buffer,
    ws::{Frame, Handshake, close_payload, first, frame},
};

mod lonely;
mod restart;

const ROOM: &str = "blue";
/// How long a session that can be resumed stays away before the others hear that it is gone.
const WINDOW: Duration = Duration::from_millis(400);

/// What must be heard, logged and counted of one ending.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// `connection_closed`, and its count.
    closed: &'static str,
    /// `peer_left` to the others, and its count, of a peer that cannot be resumed.
    left: &'static str,
    /// Whether a session that can be resumed is parked first, and then leaves by `timeout`.
    parks: bool,
}

const LOST: Told = Told { closed: "disconnected", left: "disconnected", parks: true };

/// A server with a room in which two listen and one is about to end.
struct Stage {
    server: TestServer,
    witnesses: [TestPeer; 2],
    resumable: bool,
}

impl Stage {
    #[track_caller]
    fn set(server: Builder, resumable: bool) -> Self {
        let server =
            server.set("limits.peers_per_room", 3).set("limits.resume_window_ms", WINDOW.as_millis()).any_pace();
        let server = server.start();
        let witnesses = server.join_some(ROOM);
        Self { server, witnesses, resumable }
    }

    fn join_frame(&self) -> Value {
        json!({"type": "join", "room": ROOM, "resumable": self.resumable})
    }

    /// The one who will end, with a small receive buffer. If its session can be resumed, it has proven its token.
    #[track_caller]
    fn doomed(&mut self) -> TestPeer {
        let mut peer = TestPeer::open(dial_with_small_buffer(self.server.public), &Handshake::new());
        peer.welcome = Some(peer.receive("welcome"));
        peer.join_with_fields(&self.join_frame());
        peer.receive_nothing();
        self.witnesses.iter_mut().for_each(|witness| drop(witness.receive_joined(&peer.id)));
        peer
    }

    /// Listens as both witnesses until both have heard the last of `who`, and nothing after it; what they heard of it.
    #[track_caller]
    fn listen(&mut self, who: &str) -> [Vec<Value>; 2] {
        let deadline = Instant::now() + PATIENCE;
        let mut heard = [Vec::new(), Vec::new()];
        let over = |of: &Vec<Value>| of.last().is_some_and(|last| last["type"] == "peer_left");
        while !heard.iter().all(over) {
            assert!(Instant::now() < deadline, "{who} has not left; heard of it: {heard:?}");
            for (witness, heard) in self.witnesses.iter_mut().zip(&mut heard) {
                // Both go on answering pings.
                if let Ok(Frame::Text(text)) = witness.next(Duration::from_millis(20)) {
                    heard.extend(about(who, &text));
                }
            }
        }
        for (witness, heard) in self.witnesses.iter_mut().zip(&mut heard) {
            heard.extend(witness.receive_all().iter().filter_map(|frame| about(who, &frame.text)));
        }
        heard
    }

    /// The whole of what was promised, once `who` has ended.
    #[track_caller]
    fn check(mut self, who: &str, told: Told) {
        let parks = told.parks && self.resumable;
        let left = if parks { "timeout" } else { told.left };
        for heard in self.listen(who) {
            let kinds: Vec<_> = heard.iter().filter_map(|frame| frame["type"].as_str()).collect();
            assert_eq!(kinds, if parks { &["peer_away", "peer_left"][..] } else { &["peer_left"] }, "{heard:?}");
            assert_eq!(heard.last().expect("one")["reason"], left, "{heard:?}");
        }
        self.counted(told.closed, left);
        // The room holds three.
        let newcomer = self.server.join(ROOM);
        for witness in &mut self.witnesses {
            witness.receive_joined(&newcomer.id);
            witness.receive_nothing();
        }
        // What is logged before this line is there when it is.
        self.server
            .wait_for_log("the newcomer", |line| line.event() == "peer_joined" && line.says("peer_id", &newcomer.id));
        self.logged(who, "connection_closed", told.closed);
        self.logged(who, "peer_left", left);
        let parked = self.server.log().lines_where("session_parked");
        assert_eq!(parked.len(), usize::from(parks), "{parked:#?}");
    }

    /// Waits for the truth in the metrics: nothing is counted twice, nothing is left over.
    #[track_caller]
    fn counted(&mut self, closed: &str, left: &str) {
        let Self { server, witnesses, .. } = self;
        let (closed, left) = (format!("reason=\"{closed}\""), format!("reason=\"{left}\""));
        eventually("the figures are right", || {
            // Who waits must not be taken for dead.
            witnesses.iter_mut().for_each(TestPeer::receive_nothing);
            let scrape = server.scrape();
            let counts = [("connections_closed_total", &closed), ("leaves_total", &left)];
            let counts = counts.map(|(name, label)| {
                let name = format!("switchboard_{name}");
                (scrape.sum(&name, label), scrape.sum(&name, ""))
            });
            let gauges = ["connections", "joined_connections", "peers", "parked_sessions", "rooms"];
            let gauges = gauges.map(|name| scrape.value(&format!("switchboard_{name}")));
            // A socket that is being seen off counts here until its client has hung up, or two seconds are over.
            let held = server.get("/health").json()["activeConnections"].as_u64();
            let right = counts == [(1.0, 1.0); 2] && gauges == [2.0, 2.0, 2.0, 0.0, 1.0] && held == Some(2);
            let text = || format!("{closed} {left}: {counts:?} {gauges:?} {held:?}\n{}", scrape.text());
            if right { Ok(()) } else { Err(text()) }
        });
    }

    #[track_caller]
    fn logged(&self, who: &str, event: &str, reason: &str) {
        let lines = self.server.log().lines_where(event);
        let lines: Vec<_> = lines.iter().filter(|line| line.says("peer_id", who)).collect();
        assert!(lines.len() == 1 && lines[0].says("reason", reason), "{event} {reason}: {lines:#?}");
    }
}

/// The frame, if it is about `who`. All others answer what was said to it too late.
#[track_caller]
fn about(who: &str, text: &str) -> Option<Value> {
    let frame: Value = serde_json::from_str(text).expect("JSON");
    if frame["id"] == who {
        return Some(frame);
    }
    assert!(["peer_not_found", "peer_busy"].map(|code| frame["code"] == code).contains(&true), "{text}");
    None
}

/// Plays it twice: with a session that cannot be resumed, and with one that can. What `end` returns is kept open.
#[track_caller]
fn play<K>(server: impl Fn() -> Builder, told: Told, end: impl Fn(&mut Stage, TestPeer) -> K) {
    for resumable in [false, true] {
        let mut stage = Stage::set(server(), resumable);
        let doomed = stage.doomed();
        let who = doomed.id.clone();
        let kept = end(&mut stage, doomed);
        stage.check(&who, told);
        drop(kept);
    }
}

#[test]
fn a_socket_that_is_closed_with_a_fin() {
    // It has read everything, so the kernel says FIN and not RST.
    play(TestServer::builder, LOST, |_, doomed| drop(doomed));
}

#[test]
fn a_socket_that_is_reset() {
    play(TestServer::builder, LOST, |_, doomed| doomed.abort());
}

#[test]
fn a_socket_that_is_half_closed_and_goes_on_reading() {
    play(TestServer::builder, LOST, |_, doomed| {
        doomed.hang_up();
        doomed
    });
}

#[test]
fn a_socket_that_ends_within_a_frame() {
    play(TestServer::builder, LOST, |_, mut doomed| {
        let whole = frame(first::TEXT, br#"{"type":"leave"}"#);
        doomed.send(&whole[..whole.len() - 3]);
    });
}

#[test]
fn a_close_frame_and_its_answer() {
    let told = Told { closed: "client_closed", left: "left", parks: false };
    play(TestServer::builder, told, |_, doomed| doomed.close());
}

#[test]
fn a_close_frame_and_a_reset_right_behind_it() {
    let told = Told { closed: "client_closed", left: "left", parks: false };
    play(TestServer::builder, told, |_, mut doomed| {
        doomed.send(&frame(first::CLOSE, &close_payload(1001, "")));
        doomed.hang_up();
        doomed.receive_all_until_close(1001);
        doomed.abort();
    });
}

#[test]
fn a_leave_and_a_lost_socket_right_behind_it() {
    let told = Told { closed: "disconnected", left: "left", parks: false };
    play(TestServer::builder, told, |_, mut doomed| {
        doomed.send_json(&json!({"type": "leave"}));
        doomed.receive("left");
        doomed.abort();
    });
}

#[test]
fn a_peer_that_breaks_the_protocol() {
    let told = Told { closed: "protocol_error", left: "error", parks: false };
    play(TestServer::builder, told, |_, mut doomed| {
        doomed.send(&frame(first::TEXT | first::RESERVED_BIT, b"{}"));
        doomed
    });
}

#[test]
fn a_peer_that_is_silent() {
    let told = Told { closed: "ping_timeout", left: "timeout", parks: true };
    play(|| TestServer::set("heartbeat.interval_ms", 700), told, |_, doomed| doomed);
}

/// Sends so much to a peer that reads nothing that it waits for it.
fn pour(stage: &mut Stage, into: &TestPeer, pieces: usize, size: usize) {
    let filling = json!("x".repeat(size));
    for _ in 0..pieces {
        stage.witnesses[0].send_signal(&into.id, &filling);
    }
}

#[test]
fn a_peer_that_reads_too_slowly() {
    let told = Told { closed: "slow_consumer", left: "slow_consumer", parks: true };
    let server = || TestServer::set("limits.slow_ms", 300).set("limits.busy_pause_ms", 50);
    play(server, told, |stage, doomed| {
        pour(stage, &doomed, 200, 16_384);
        doomed
    });
}

#[test]
fn a_peer_that_stops_reading_below_every_bound() {
    let server = || {
        TestServer::set("heartbeat.tcp_user_timeout_ms", 1000)
            .set("limits.queue_bytes", 64 << 20)
            .set("limits.queue_frames", 4096)
    };
    play(server, LOST, |stage, doomed| {
        pour(stage, &doomed, 40, 50_000);
        doomed
    });
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_session_that_panics() {
    let told = Told { closed: "internal", left: "error", parks: false };
    play(TestServer::builder, told, |stage, doomed| {
        stage.server.forgive_panics();
        let path = format!("/fault/session-panic?session={}", doomed.session());
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        assert_eq!(crate::support::http::exchange(stage.server.ops, &head).status, 202);
        doomed
    });
}

/// A client that is a process of its own: joins, proves its token, and copies what it hears to nowhere. Killed when dropped.
struct Client(Child);

impl Client {
    /// Started by `within`; `before` runs first. What it waits for is a line on its standard input.
    fn spawn(stage: &Stage, within: &[&str], before: &str, host: &str) -> Self {
        let [join, proof] = [stage.join_frame(), json!({"type": "ping", "ack": 0})]
            .map(|json| frame(first::TEXT, json.to_string().as_bytes()));
        let [join, proof] = [Handshake::new().followed_by(join).bytes(), proof]
            .map(|bytes| bytes.iter().flat_map(|byte| ["\\x".to_owned(), format!("{byte:02x}")]).collect::<String>());
        let script = format!(
            "{before} exec 3<>\"/dev/tcp/$0/$1\" && printf %b \"$2\" >&3 && read -r && printf %b \"$3\" >&3 \
             && exec cat <&3 3>&-"
        );
        let port = stage.server.public.port().to_string();
        let mut words = within.iter().copied().chain(["bash", "-c", &script, host, &port, &join, &proof]);
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::null());
        Self(command.spawn().expect("bash, and what it is started by"))
    }

    #[track_caller]
    fn go_on(&mut self) {
        self.0.stdin.as_mut().expect("its standard input").write_all(b"\n").expect("it reads");
    }

    /// Waits until it is in the room and has proven its token; its name.
    #[track_caller]
    fn joins(&mut self, stage: &mut Stage) -> String {
        let who = stage.witnesses[0].receive("peer_joined").text("id");
        stage.witnesses[1].receive_joined(&who);
        // The others hear of it first. Whatever it says before it was told itself proves nothing.
        stage.server.wait_for_metric("switchboard_messages_total{direction=\"out\",type=\"joined\"}", 3.0);
        self.go_on();
        stage.server.wait_for_metric("switchboard_messages_total{direction=\"in\",type=\"ping\"}", 1.0);
        who
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_client_whose_process_is_killed() {
    for resumable in [false, true] {
        let mut stage = Stage::set(TestServer::builder(), resumable);
        let mut client = Client::spawn(&stage, &[], "", "127.0.0.1");
        let who = client.joins(&mut stage);
        drop(client);
        stage.check(&who, LOST);
    }
}
