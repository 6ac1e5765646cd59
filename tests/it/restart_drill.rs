//! The drill: rooms full of peers that talk by numbers, a process that ends under them, and the next one. Nothing is lost, nothing
//! comes twice, and nobody hears that somebody has left.
//!
//! Short here, and in full by `make restart-drill`: `RESTART_PEERS` says how many, `RESTART_TALKS_MS` how often each talks.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_blocking, spawn_local};

use crate::support::{
    Builder, PATIENCE, TestServer, ports,
    swarm::{Came, Client, crowd, on_one_thread, pass},
};

/// Peers of one room, each of which talks to the next.
const ROOM: usize = 5;
/// Each says something this often, in milliseconds, and what it has handled with every fifth.
const TALKS_MS: usize = 200;
/// A client that finds nobody tries again after this.
const TRIES_EVERY: Duration = Duration::from_millis(100);

fn asked(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn peers() -> usize {
    asked("RESTART_PEERS", 100) / ROOM * ROOM
}

fn server(port: u16) -> Builder {
    TestServer::set("server.handover", true)
        .set("server.port", port)
        .set("server.max_connections", 20_000)
        .set("limits.rooms", 10_000)
        .set("log.level", "info")
}

/// What all of them share: they are on one thread.
struct Board {
    /// By number: how much each has said.
    said: RefCell<Vec<u64>>,
    /// How much each has heard.
    heard: RefCell<Vec<u64>>,
    /// The longest time in which one has heard nothing.
    silence: Cell<Duration>,
    /// How often anybody was told that somebody is away, or back.
    presence: Cell<usize>,
    resumed: Cell<usize>,
    talks: Cell<bool>,
}

impl Board {
    fn new(peers: usize) -> Rc<Self> {
        Rc::new(Self {
            said: RefCell::new(vec![0; peers]),
            heard: RefCell::new(vec![0; peers]),
            silence: Cell::default(),
            presence: Cell::default(),
            resumed: Cell::default(),
            talks: Cell::new(true),
        })
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, patience: Duration, is_so: impl Fn(&Self) -> Result<(), String>) {
        let deadline = Instant::now() + patience;
        while let Err(missing) = is_so(self) {
            assert!(Instant::now() < deadline, "{what}: {missing}");
            pass(Duration::from_millis(20)).await;
        }
    }
}

/// One peer.
struct Peer {
    number: usize,
    port: u16,
    room: String,
    client: Client,
    token: Value,
    /// The peer that it talks to.
    to: String,
    /// All that it has said, for what has to be said again.
    sent: Vec<Value>,
    /// Frames that it has handled, by the protocol's count.
    handled: u64,
    heard_at: Instant,
    board: Rc<Board>,
}

impl Peer {
    async fn run(mut self) {
        let mut timer = tokio::time::interval(Duration::from_millis(asked("RESTART_TALKS_MS", TALKS_MS) as u64));
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = timer.tick() => self.talk().await,
                came = self.client.next() => self.take(came).await,
            }
        }
    }

    async fn talk(&mut self) {
        if !self.board.talks.get() {
            return;
        }
        let number = self.sent.len() as u64;
        self.sent
            .push(json!({"type": "signal", "to": self.to, "kind": "app", "data": {"n": number, "x": "x".repeat(200)}}));
        self.board.said.borrow_mut()[self.number] += 1;
        let mut frames = vec![self.sent[self.sent.len() - 1].clone()];
        if number.is_multiple_of(5) {
            frames.push(json!({"type": "ping", "ack": self.handled}));
        }
        // A connection that is over says so when it is read.
        let _ = self.client.send_json(&frames).await;
    }

    async fn take(&mut self, came: Came) {
        match came {
            Came::Frame(frame) => match frame["type"].as_str().unwrap_or_default() {
                "bye" => {
                    assert_eq!(
                        (&frame["reason"], &frame["action"]),
                        (&json!("server_draining"), &json!("resume")),
                        "{frame}"
                    );
                    let wait = Duration::from_millis(frame["retryAfterMs"].as_u64().expect("a time"));
                    self.come_back(wait).await;
                }
                "pong" => {}
                kind => {
                    self.handled += 1;
                    match kind {
                        "signal" => self.hear(&frame),
                        "peer_joined" => {}
                        "peer_away" | "peer_back" => self.board.presence.set(self.board.presence.get() + 1),
                        _ => panic!("peer {} hears {frame}", self.number),
                    }
                }
            },
            Came::Close(_) | Came::Lost => self.come_back(TRIES_EVERY).await,
        }
    }

    fn hear(&mut self, frame: &Value) {
        let heard = &mut self.board.heard.borrow_mut()[self.number];
        assert_eq!(
            frame["data"]["n"],
            json!(*heard),
            "peer {} hears what is lost, twice, or not its turn",
            self.number
        );
        *heard += 1;
        let silence = self.heard_at.elapsed();
        self.board.silence.set(self.board.silence.get().max(silence));
        self.heard_at = Instant::now();
    }

    async fn come_back(&mut self, wait: Duration) {
        pass(wait).await;
        self.client = loop {
            match Client::connect(([127, 0, 0, 1], self.port).into()).await {
                Ok(client) => break client,
                Err(_) => pass(TRIES_EVERY).await,
            }
        };
        let resume = json!({"resume": {"token": self.token, "ack": self.handled}, "attempt": 1});
        let joined = match self.client.join(&self.room, &resume).await {
            Came::Frame(joined) => joined,
            other => panic!("peer {} cannot come back: {other:?}", self.number),
        };
        assert_eq!(joined["complete"], true, "peer {}: {joined}", self.number);
        self.token = joined["resume"]["token"].clone();
        let handled = usize::try_from(joined["ack"].as_u64().expect("a count")).expect("small");
        let _ = self.client.send_json(&self.sent[handled..]).await;
        self.board.resumed.set(self.board.resumed.get() + 1);
    }
}

async fn open(peers: usize, port: u16, board: &Rc<Board>) -> Vec<JoinHandle<()>> {
    let room = |number: usize| format!("room-{}", number / ROOM);
    let clients = crowd(([127, 0, 0, 1], port).into(), peers, room, |_| json!({"resumable": true})).await;
    let ids: Vec<_> = clients.iter().map(|(client, _)| client.id.clone()).collect();
    let players = clients.into_iter().enumerate().map(|(number, (client, joined))| {
        let next = number / ROOM * ROOM + (number + 1) % ROOM;
        let peer = Peer {
            number,
            port,
            room: room(number),
            client,
            token: joined["resume"]["token"].clone(),
            to: ids[next].clone(),
            sent: Vec::new(),
            handled: 0,
            heard_at: Instant::now(),
            board: Rc::clone(board),
        };
        spawn_local(peer.run())
    });
    players.collect()
}

/// Each has heard all that the one before it in its room has said.
fn all_heard(board: &Board) -> Result<(), String> {
    let (said, heard) = (board.said.borrow(), board.heard.borrow());
    let before = |number: usize| number / ROOM * ROOM + (number + ROOM - 1) % ROOM;
    let missing = (0..heard.len()).find(|number| heard[*number] != said[before(*number)]);
    missing.map_or(Ok(()), |number| {
        Err(format!("peer {number} has heard {}, not {}", heard[number], said[before(number)]))
    })
}

#[test]
fn rooms_full_of_peers_that_talk_lose_nothing_by_a_restart() {
    let (peers, port) = (peers(), ports::reserve());
    let mut first = server(port).start();
    on_one_thread(async move {
        let board = Board::new(peers);
        let players = open(peers, port, &board).await;
        board
            .until("all talk", PATIENCE * 4, |board| {
                let fewest = board.heard.borrow().iter().copied().min();
                if fewest >= Some(3) { Ok(()) } else { Err(format!("{fewest:?}")) }
            })
            .await;
        board.silence.set(Duration::ZERO);
        let resident = first.memory_kib("VmRSS");
        first.terminate();
        let (second, stored, ended) = spawn_blocking(move || {
            let asked = Instant::now();
            let status = first.wait_exit(PATIENCE);
            let ended = asked.elapsed();
            assert!(status.success(), "{status}");
            let stored = first.wait_for_log("it", |line| line.event() == "state_stored");
            let state = std::sync::Arc::clone(first.state());
            drop(first);
            (server(port).state(&state).start(), stored, ended)
        })
        .await
        .expect("the next process");
        board
            .until("all are back", PATIENCE * 4, |board| {
                let resumed = board.resumed.get();
                if resumed >= peers { Ok(()) } else { Err(format!("{resumed} of {peers}")) }
            })
            .await;
        board.talks.set(false);
        board.until("all is heard", PATIENCE * 2, all_heard).await;
        players.iter().for_each(JoinHandle::abort);
        let failed = futures_util::future::join_all(players)
            .await
            .into_iter()
            .filter_map(Result::err)
            .find(tokio::task::JoinError::is_panic);
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!(board.resumed.get(), peers, "each has come back once");
        let restored = second.wait_for_log("it", |line| line.event() == "state_restored");
        assert_eq!((&stored.json["sessions"], &restored.json["sessions"]), (&json!(peers), &json!(peers)));
        println!(
            "{peers} peers in {} rooms: {} frames, 0 lost; longest silence {:?}; the process ended in {ended:?}; stored {} bytes in \
             {} ms, restored in {} ms, {} ms old; {} times away or back; {resident} KiB resident before, {} after",
            peers / ROOM,
            board.said.borrow().iter().sum::<u64>(),
            board.silence.get(),
            stored.json["bytes"],
            stored.json["took_ms"],
            restored.json["took_ms"],
            restored.json["age_ms"],
            board.presence.get(),
            second.memory_kib("VmRSS"),
        );
        assert_eq!(board.presence.get(), 0, "nobody was told that anybody is away");
    });
}
