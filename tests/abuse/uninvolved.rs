//! Five hundred peers who have nothing to do with the flood, and somebody who probes, scrapes and joins: how long all of
//! it takes, and what is lost.

use std::{
    cell::RefCell,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time,
};

use crate::{
    meter::Over,
    stage::{client_from, get_from},
    support::{
        PATIENCE, TestPeer,
        http::try_dial_from,
        swarm::{Came, Client, on_one_thread},
        ws::{Frame, Handshake, first, frame},
    },
};

const PEERS: usize = 500;
const ROOM: usize = 10;
/// Each peer sends one frame to the next in its room in this time.
const SENDS_EVERY: Duration = Duration::from_secs(1);
/// How often the probes, the scrape and the join are tried.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// More addresses than the limits of one need.
const ADDRESSES: usize = 16;

/// How long things took.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// What 99 of 100 did not exceed.
    pub(crate) fn p99(&mut self) -> Duration {
        self.0.sort_unstable();
        let at = (self.0.len() * 99).div_ceil(100).max(1) - 1;
        self.0.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the peers noticed.
#[derive(Debug, Default)]
pub(crate) struct Noticed {
    /// From one peer to the other.
    pub(crate) relay: Times,
    /// By how much they were late to send: they were as late to read, and that part of `relay` is no time of the server's.
    pub(crate) late: Times,
    pub(crate) lost_connections: usize,
    pub(crate) lost_frames: u64,
    pub(crate) first_error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Joining,
    Talking,
    /// As before, and what they send is timed.
    Timed,
    Ending,
    Over,
}

/// The peers.
pub(crate) struct Uninvolved {
    phase: watch::Sender<Phase>,
    thread: JoinHandle<Noticed>,
}

#[derive(Default)]
struct Tally {
    noticed: Noticed,
    sent: u64,
    received: u64,
}

impl Uninvolved {
    /// Joins them all; they talk from then on.
    pub(crate) fn join(to: SocketAddr) -> Self {
        let (phase, heard) = watch::channel(Phase::Joining);
        let told = phase.clone();
        let thread = thread::spawn(move || on_one_thread(talk(to, told, heard)));
        let mut phases = phase.subscribe();
        let ready = async move { phases.wait_for(|phase| *phase == Phase::Talking).await.is_ok() };
        assert!(on_one_thread(ready), "the uninvolved peers cannot join");
        Self { phase, thread }
    }

    /// Whether what arrives from now on is timed.
    pub(crate) fn measure(&self, on: bool) {
        self.phase.send_replace(if on { Phase::Timed } else { Phase::Talking });
    }

    /// Ends them, once what was sent has arrived or is late by [`PATIENCE`].
    pub(crate) fn noticed(self) -> Noticed {
        self.phase.send_replace(Phase::Ending);
        self.thread.join().expect("the uninvolved peers")
    }
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 1, 1 + u8::try_from(number % ADDRESSES).expect("few"))
}

async fn talk(to: SocketAddr, phase: watch::Sender<Phase>, heard: watch::Receiver<Phase>) -> Noticed {
    let (tally, received) = (Rc::new(RefCell::new(Tally::default())), Rc::new(Notify::new()));
    let mut all = JoinSet::new();
    let began = Instant::now();
    for room in 0..PEERS / ROOM {
        let mut peers = Vec::new();
        for number in 0..ROOM {
            let mut peer = client_from(address(room * ROOM + number), to, None).await;
            match peer.join(&format!("uninvolved-{room}"), &json!({})).await {
                Came::Frame(joined) if joined["type"] == "joined" => peers.push(peer),
                other => panic!("an uninvolved peer cannot join: {other:?}"),
            }
        }
        let ids: Vec<_> = peers.iter().map(|peer| peer.id.clone()).collect();
        for (number, peer) in peers.into_iter().enumerate() {
            let next = ids[(number + 1) % ROOM].clone();
            // Spread, so that they do not send all at once.
            let first = SENDS_EVERY.mul_f64(f64::from(u32::try_from(room * ROOM + number).expect("few")) / 500.0);
            let tally = (Rc::clone(&tally), Rc::clone(&received));
            all.spawn_local(one(peer, next, began, first, tally, heard.clone()));
        }
    }
    phase.send_replace(Phase::Talking);
    let mut over = heard.clone();
    let _ = over.wait_for(|phase| *phase == Phase::Ending).await;
    let deadline = Instant::now() + PATIENCE;
    let arrived = async {
        while tally.borrow().received < tally.borrow().sent {
            received.notified().await;
        }
    };
    // What is missing then is told as lost.
    let _ = time::timeout_at(deadline.into(), arrived).await;
    phase.send_replace(Phase::Over);
    while all.join_next().await.is_some() {}
    let tally = Rc::into_inner(tally).expect("all have ended").into_inner();
    Noticed { lost_frames: tally.sent - tally.received, ..tally.noticed }
}

async fn one(
    mut peer: Client,
    next: String,
    began: Instant,
    first: Duration,
    (tally, received): (Rc<RefCell<Tally>>, Rc<Notify>),
    mut phase: watch::Receiver<Phase>,
) {
    let mut timer = time::interval_at(time::Instant::now() + first, SENDS_EVERY);
    timer.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let now = phase.clone();
    loop {
        tokio::select! {
            _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
            due = timer.tick() => {
                let late = time::Instant::now().saturating_duration_since(due);
                if *now.borrow() == Phase::Timed {
                    tally.borrow_mut().noticed.late.0.push(late);
                }
                if matches!(*now.borrow(), Phase::Ending | Phase::Over) {
                    continue;
                }
                let at = u64::try_from(began.elapsed().as_micros()).expect("soon");
                let signal = json!({"type": "signal", "to": next, "kind": "app", "data": at});
                tally.borrow_mut().sent += 1;
                // A connection that is gone is found where it is read.
                let _ = peer.send_json(&[signal]).await;
            }
            came = peer.next() => match came {
                Came::Frame(frame) if frame["type"] == "signal" => {
                    let at = Duration::from_micros(frame["data"].as_u64().unwrap_or_default());
                    let mut tally = tally.borrow_mut();
                    tally.received += 1;
                    received.notify_one();
                    if *now.borrow() == Phase::Timed {
                        tally.noticed.relay.0.push(began.elapsed().saturating_sub(at));
                    }
                }
                Came::Frame(frame) if frame["type"] == "error" => {
                    // A frame that was refused is told of, and is one that does not arrive.
                    tally.borrow_mut().noticed.first_error.get_or_insert_with(|| frame.to_string());
                }
                Came::Frame(_) => {}
                Came::Close(_) | Came::Lost => {
                    tally.borrow_mut().noticed.lost_connections += 1;
                    return;
                }
            }
        }
    }
}

/// What whoever looks at the server saw.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    pub(crate) healthz: Times,
    pub(crate) metrics: Times,
    pub(crate) join: Times,
    /// Joins that were refused for want of memory or sockets, in time.
    pub(crate) refused: usize,
    /// What was answered wrongly or not at all.
    pub(crate) failed: Vec<String>,
}

/// Looks at the server until it is asked what it saw.
pub(crate) struct Looker {
    over: Over,
    looks: Arc<Mutex<Looks>>,
    threads: [JoinHandle<()>; 3],
}

impl Looker {
    pub(crate) fn start(public: SocketAddr, ops: SocketAddr) -> Self {
        let (over, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Looks::default())));
        let again = |mut look: Box<dyn FnMut(Ipv4Addr) -> Result<(), String> + Send>,
                     note: fn(&mut Looks, Duration)| {
            let (over, looks) = (Arc::clone(&over), Arc::clone(&looks));
            thread::spawn(move || {
                for number in 0.. {
                    let began = Instant::now();
                    let seen = look(address(number));
                    let took = began.elapsed();
                    {
                        let mut looks = looks.lock().unwrap_or_else(PoisonError::into_inner);
                        note(&mut looks, took);
                        match seen {
                            Ok(()) => {}
                            Err(what) if what == REFUSED => looks.refused += 1,
                            Err(what) => looks.failed.push(what),
                        }
                    }
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    // A look at a time, so many in a second: a load that is the same whatever the server does.
                    thread::sleep(LOOKS_EVERY.saturating_sub(took));
                }
            })
        };
        let threads = [
            again(Box::new(move |from| get(from, public, "/healthz")), |looks, took| looks.healthz.0.push(took)),
            again(Box::new(move |from| get(from, ops, "/metrics")), |looks, took| looks.metrics.0.push(took)),
            again(Box::new(move |from| join(from, public)), |looks, took| looks.join.0.push(took)),
        ];
        Self { over: Over(over), looks, threads }
    }

    pub(crate) fn saw(self) -> Looks {
        drop(self.over);
        for thread in self.threads {
            thread.join().expect("who looks");
        }
        std::mem::take(&mut self.looks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const REFUSED: &str = "refused";

fn get(from: Ipv4Addr, to: SocketAddr, path: &str) -> Result<(), String> {
    match get_from(from, to, path) {
        Ok(answer) if answer.status == 200 => Ok(()),
        Ok(answer) => Err(format!("{path}: {}", answer.status)),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// From the first packet to `joined`.
fn join(from: Ipv4Addr, to: SocketAddr) -> Result<(), String> {
    use std::io::{BufReader, Write};
    let failed = |what: &'static str| move |error: std::io::Error| format!("a join, {what}: {error}");
    let mut stream = try_dial_from(from, to).map_err(failed("connecting"))?;
    let join = json!({"type": "join", "room": "those who look"}).to_string();
    let ahead = Handshake::new().followed_by(frame(first::TEXT, join.as_bytes()));
    stream.write_all(&ahead.bytes()).map_err(failed("writing"))?;
    let mut stream = BufReader::new(stream);
    let answer = crate::support::http::read_response(&mut stream).map_err(failed("its handshake"))?;
    match answer.status {
        101 => {}
        503 => return Err(REFUSED.to_owned()),
        status => return Err(format!("a join, its handshake: {status}")),
    }
    let mut peer = TestPeer::on(stream);
    loop {
        match peer.next(PATIENCE) {
            Ok(Frame::Text(text)) if text.contains("\"type\":\"joined\"") => return Ok(()),
            Ok(Frame::Text(text)) if text.contains("\"type\":\"error\"") => return Err(format!("a join: {text}")),
            Ok(_) => {}
            Err(ended) => return Err(format!("a join, after its handshake: {ended:?}")),
        }
    }
}
