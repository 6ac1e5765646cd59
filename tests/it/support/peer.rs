//! A client that says and hears one frame at a time, and tells what it heard instead of what it should have.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufReader, Write},
    net::TcpStream,
    ops::Index,
    time::{Duration, Instant},
};

use serde_json::{Value, json, value::RawValue};

use super::{
    http::dial,
    wait::PATIENCE,
    ws::{Ended, Frame, Handshake, close_payload, first, frame, read_frame},
};

/// A text frame from the server.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// As it came.
    pub(crate) text: String,
    json: Value,
}

impl Received {
    fn read(text: String) -> Self {
        let fields: HashMap<String, Box<RawValue>> =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("not a JSON object ({e}): {text}"));
        // What no 64-bit float holds is JSON all the same; such a field is there as its text.
        let value = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or_else(|_| Value::from(raw.get()));
        let json = fields.iter().map(|(name, raw)| (name.clone(), value(raw))).collect();
        Self { text, json }
    }

    /// The frame's `type`.
    pub(crate) fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default()
    }

    /// The whole frame.
    pub(crate) fn json(&self) -> &Value {
        &self.json
    }

    /// A field's text exactly as it came.
    pub(crate) fn raw(&self, field: &str) -> String {
        let fields: HashMap<String, Box<RawValue>> = serde_json::from_str(&self.text).unwrap();
        fields.get(field).unwrap_or_else(|| panic!("no {field} in {}", self.text)).get().to_owned()
    }

    /// A field that must be text.
    #[track_caller]
    pub(crate) fn text(&self, field: &str) -> String {
        self[field].as_str().unwrap_or_else(|| panic!("{field} is no text in {}", self.text)).to_owned()
    }
}

impl Index<&str> for Received {
    type Output = Value;
    fn index(&self, field: &str) -> &Value {
        &self.json[field]
    }
}

/// One client. Reads nothing unless asked, so that it is a slow reader whenever a test wants one.
pub(crate) struct TestPeer {
    stream: BufReader<TcpStream>,
    /// Its name in its room, once joined.
    pub(crate) id: String,
    /// The first frame, once heard.
    pub(crate) welcome: Option<Received>,
    /// The reply to its last `join`.
    pub(crate) joined: Option<Received>,
    /// The server's pings so far.
    pub(crate) pings: usize,
    /// Whether it answers pings, as every RFC 6455 client does.
    pub(crate) answers_pings: bool,
    barriers: usize,
    transcript: VecDeque<String>,
}

impl TestPeer {
    /// Opens a connection and hears the welcome.
    #[track_caller]
    pub(crate) fn connect(to: std::net::SocketAddr) -> Self {
        let mut peer = Self::open(dial(to), &Handshake::new());
        peer.welcome = Some(peer.receive("welcome"));
        peer
    }

    /// Does the handshake on this connection, and reads nothing after it.
    #[track_caller]
    pub(crate) fn open(stream: TcpStream, handshake: &Handshake) -> Self {
        let (response, stream) = handshake.send_on(stream);
        assert_eq!(response.status, 101, "{response:?}");
        Self::on(stream)
    }

    /// Goes on where a handshake ended.
    pub(crate) fn on(stream: BufReader<TcpStream>) -> Self {
        Self {
            stream,
            id: String::new(),
            welcome: None,
            joined: None,
            pings: 0,
            answers_pings: true,
            barriers: 0,
            transcript: VecDeque::new(),
        }
    }

    /// The same connection, for a thread that only sends.
    pub(crate) fn second_half(&self) -> Self {
        Self::on(BufReader::new(self.stream.get_ref().try_clone().expect("a second handle")))
    }

    /// The session id from the welcome.
    #[track_caller]
    pub(crate) fn session(&self) -> String {
        self.welcome.as_ref().expect("welcome").text("session")
    }

    /// The address that the server sees it at.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.stream.get_ref().local_addr().unwrap()
    }

    /// Sends a JSON frame.
    #[track_caller]
    pub(crate) fn send_json(&mut self, json: &Value) {
        self.send_text(&json.to_string());
    }

    /// Sends a text frame as it stands.
    #[track_caller]
    pub(crate) fn send_text(&mut self, text: &str) {
        self.send(&frame(first::TEXT, text.as_bytes()));
    }

    /// Sends bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap_or_else(|e| panic!("cannot send: {e}; {}", self.story()));
    }

    /// Sends bytes to a server that may have hung up already.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Hears the next frame, which must be text of that type.
    #[track_caller]
    pub(crate) fn receive(&mut self, kind: &str) -> Received {
        match self.next(PATIENCE) {
            Ok(Frame::Text(text)) => {
                let heard = Received::read(text);
                assert!(heard.kind() == kind, "waited for {kind}, heard {}; {}", heard.text, self.story());
                heard
            }
            other => panic!("waited for {kind}, heard {other:?}; {}", self.story()),
        }
    }

    /// Hears the next frame, which may be text of any type.
    #[track_caller]
    pub(crate) fn receive_any(&mut self) -> Received {
        match self.next(PATIENCE) {
            Ok(Frame::Text(text)) => Received::read(text),
            other => panic!("waited for text, heard {other:?}; {}", self.story()),
        }
    }

    /// Hears the next frame, and says its type and what it replies to.
    #[track_caller]
    pub(crate) fn receive_reply(&mut self) -> (String, String) {
        let heard = self.receive_any();
        (heard.kind().to_owned(), heard["re"].as_str().unwrap_or_default().to_owned())
    }

    /// Hears frames until one of that type comes; the others are forgotten.
    #[track_caller]
    pub(crate) fn receive_at_last(&mut self, kind: &str) -> Received {
        loop {
            let heard = self.receive_any();
            if heard.kind() == kind {
                return heard;
            }
        }
    }

    /// Hears an `error` with that code.
    #[track_caller]
    pub(crate) fn receive_error(&mut self, code: &str) -> Received {
        let heard = self.receive("error");
        assert_eq!(heard["code"], code, "{}", heard.text);
        assert!(heard["category"].is_string() && heard["message"].is_string(), "{}", heard.text);
        assert!(heard["retryable"].is_boolean(), "{}", heard.text);
        heard
    }

    /// Hears `bye` with that reason, then the close frame with that code, answers it, and sees the connection end.
    #[track_caller]
    pub(crate) fn receive_bye(&mut self, reason: &str, code: u16) -> Received {
        let bye = self.receive("bye");
        assert_eq!(bye["reason"], reason, "{}", bye.text);
        self.receive_close(code);
        self.receive_end();
        bye
    }

    /// Hears a close frame with that code, and answers it.
    #[track_caller]
    pub(crate) fn receive_close(&mut self, code: u16) -> String {
        match self.next(PATIENCE) {
            Ok(Frame::Close(Some(heard), reason)) if heard == code => {
                // The server may have hung up already; it has no duty to wait for this.
                let _ = self.try_send(&frame(first::CLOSE, &close_payload(code, "")));
                reason
            }
            other => panic!("waited for close {code}, heard {other:?}; {}", self.story()),
        }
    }

    /// Sees the connection end, by FIN or reset, and hears nothing before.
    #[track_caller]
    pub(crate) fn receive_end(&mut self) {
        match self.next(PATIENCE) {
            Err(Ended::Fin | Ended::Reset) => {}
            other => panic!("waited for the end, heard {other:?}; {}", self.story()),
        }
    }

    /// The next frame of any kind but the pings it answers by itself (those it only counts).
    pub(crate) fn next(&mut self, patience: Duration) -> Result<Frame, Ended> {
        let deadline = Instant::now() + patience;
        loop {
            let came = read_frame(&mut self.stream, deadline);
            self.note(&came);
            match came {
                Ok(Frame::Ping(payload)) => {
                    self.pings += 1;
                    if self.answers_pings {
                        let _ = self.try_send(&frame(first::PONG, &payload));
                    }
                }
                other => return other,
            }
        }
    }

    fn note(&mut self, came: &Result<Frame, Ended>) {
        let mut line = format!("{came:?}");
        if line.len() > 300 {
            line = line.chars().take(300).chain("…".chars()).collect();
        }
        self.transcript.push_back(line);
        if self.transcript.len() > 12 {
            self.transcript.pop_front();
        }
    }

    fn story(&self) -> String {
        let lines: Vec<_> = self.transcript.iter().map(|line| format!("\n    {line}")).collect();
        format!("peer {:?} has heard, oldest first:{}", self.id, lines.concat())
    }

    /// Sends a `ping` and hears its `pong` before anything else: whatever the server had for this peer when it read the
    /// ping would have come first. So nothing had come.
    #[track_caller]
    pub(crate) fn receive_nothing(&mut self) {
        let barrier = self.send_barrier();
        let pong = self.receive("pong");
        assert_eq!(pong["re"], barrier, "{}", self.story());
    }

    /// Sends a `ping` and hears everything up to its `pong`.
    #[track_caller]
    pub(crate) fn receive_all(&mut self) -> Vec<Received> {
        let barrier = self.send_barrier();
        let mut heard = Vec::new();
        loop {
            heard.push(self.receive_any());
            if heard.last().is_some_and(|last| last.kind() == "pong" && last["re"] == barrier) {
                heard.pop();
                return heard;
            }
        }
    }

    fn send_barrier(&mut self) -> String {
        self.barriers += 1;
        let barrier = format!("barrier-{}", self.barriers);
        self.send_json(&json!({"type": "ping", "id": barrier}));
        barrier
    }

    /// Joins, and learns its own name.
    #[track_caller]
    pub(crate) fn join(&mut self, room: &str) -> Received {
        self.join_with_fields(&json!({"type": "join", "room": room}))
    }

    /// Joins with a frame of the test's own.
    #[track_caller]
    pub(crate) fn join_with_fields(&mut self, join: &Value) -> Received {
        self.send_json(join);
        let joined = self.receive("joined");
        joined["self"]["id"].as_str().expect("self.id").clone_into(&mut self.id);
        self.joined = Some(joined.clone());
        joined
    }

    /// Leaves its room.
    #[track_caller]
    pub(crate) fn leave(&mut self) -> Received {
        self.send_json(&json!({"type": "leave"}));
        self.receive("left")
    }

    /// Sends a signal of kind `app` to one peer.
    #[track_caller]
    pub(crate) fn send_signal(&mut self, to: &str, data: &Value) {
        self.send_json(&json!({"type": "signal", "to": to, "kind": "app", "data": data}));
    }

    /// Hears of a peer that left, and why.
    #[track_caller]
    pub(crate) fn receive_left(&mut self, who: &str, why: &str) {
        let left = self.receive("peer_left");
        assert_eq!((&left["id"], &left["reason"]), (&json!(who), &json!(why)), "{}", left.text);
    }

    /// Hears of a peer that joined.
    #[track_caller]
    pub(crate) fn receive_joined(&mut self, who: &str) -> Received {
        let came = self.receive("peer_joined");
        assert_eq!(came["id"], who, "{}", came.text);
        came
    }

    /// Closes in the proper way: close frame, its echo (after what was on its way), the end.
    #[track_caller]
    pub(crate) fn close(mut self) {
        self.send(&frame(first::CLOSE, &close_payload(1000, "")));
        self.receive_all_until_close(1000);
        self.receive_end();
    }

    /// Hears text until a close frame with that code comes.
    #[track_caller]
    pub(crate) fn receive_all_until_close(&mut self, code: u16) {
        loop {
            match self.next(PATIENCE) {
                Ok(Frame::Close(Some(heard), _)) if heard == code => return,
                Ok(Frame::Text(_)) => {}
                other => panic!("waited for close {code}, heard {other:?}; {}", self.story()),
            }
        }
    }

    /// Throws the connection away: the server sees a reset.
    pub(crate) fn abort(self) {
        socket2::SockRef::from(self.stream.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Ends its side of the connection without a close frame: the server sees a FIN.
    pub(crate) fn hang_up(&self) {
        self.stream.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }
}
