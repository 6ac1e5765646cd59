//! Floods inside a room: members who send more than others can read. Whoever reads at a fair pace stays, and receives
//! whatever the server accepted for it, in order; who sends too much is told.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet, time};

use crate::{
    stage::{FLOODER, Stage, client_from, scaled, server},
    support::swarm::{Came, Client, on_one_thread},
};

/// The kernel's buffer of who reads slowly: what waits there was not read.
const RECEIVE_BUFFER: u32 = 32 << 10;
/// How long all that was accepted may take to arrive: at 1 Mbit/s 16 frames of 60 kB take 8 s.
const ARRIVES: Duration = Duration::from_secs(40);
/// A shorter wait is not worth one.
const TIMER: Duration = Duration::from_millis(2);
/// 1 Mbit/s.
const FAIR_PACE: u64 = 125_000;

/// What is sent, by how many and to how many.
#[derive(Clone, Copy)]
struct Burst {
    senders: usize,
    receivers: usize,
    /// Of each sender, in one piece.
    frames: u64,
    bytes: usize,
    /// Bytes that a receiver reads in a second.
    pace: u64,
    rounds: u64,
}

/// What one receiver received: who sent it, and its number.
type Received = Rc<RefCell<Vec<(String, u64)>>>;
/// What one sender's frames were refused for: receivers, with the numbers of the frames.
type Refused = BTreeMap<String, Vec<u64>>;

/// One that receives.
#[derive(Clone, Default)]
struct Receiver {
    id: String,
    received: Received,
    is_over: Rc<RefCell<Option<String>>>,
    /// Something came, or it is over.
    changed: Rc<Notify>,
}

impl Receiver {
    /// Waits until so many frames came, or none will any more.
    async fn until(&self, all: usize, deadline: Instant) {
        let came = async {
            while self.received.borrow().len() < all && self.is_over.borrow().is_none() {
                self.changed.notified().await;
            }
        };
        // What is missing then is said by whoever compares it.
        let _ = time::timeout_at(deadline.into(), came).await;
    }
}

#[test]
fn large_frames_of_one_member() {
    let rounds = scaled(1, 3);
    let burst = Burst { senders: 1, receivers: 9, frames: 16, bytes: 60_000, pace: FAIR_PACE, rounds };
    play("large_frames_of_one_member", &[burst]);
}

#[test]
fn small_frames_of_many_members() {
    let rounds = scaled(1, 3);
    let slow = Burst { senders: 8, receivers: 1, frames: 200, bytes: 10, pace: 10 * FAIR_PACE, rounds };
    play("small_frames_of_many_members", &[slow, Burst { bytes: 100, pace: u64::MAX, ..slow }]);
}

fn play(test: &str, bursts: &[Burst]) {
    let mut stage = Stage::set(test, 1, server());
    let wrong = stage.during(|public, _| {
        let wrong = bursts.iter().map(|burst| on_one_thread(one(public, *burst)));
        wrong.flatten().collect::<Vec<_>>()
    });
    stage.blames(wrong);
    stage.ends(4096);
}

/// Plays one burst, and says what is not as it must be.
async fn one(to: SocketAddr, burst: Burst) -> Vec<String> {
    let mut tasks = JoinSet::new();
    let mut receivers = Vec::new();
    for _ in 0..burst.receivers {
        let peer = enter(to, Some(RECEIVE_BUFFER)).await;
        let receiver = Receiver { id: peer.id.clone(), ..Receiver::default() };
        tasks.spawn_local(receive(peer, burst.pace, receiver.clone()));
        receivers.push(receiver);
    }
    let ids: Vec<_> = receivers.iter().map(|receiver| receiver.id.clone()).collect();
    let mut sending = JoinSet::new();
    for _ in 0..burst.senders {
        sending.spawn_local(send(enter(to, None).await, ids.clone(), burst));
    }
    let (mut refused, mut wrong) = (BTreeMap::new(), Vec::new());
    while let Some(sender) = sending.join_next().await {
        let (sender, told) = sender.expect("a sender");
        match told {
            Ok(told) => drop(refused.insert(sender, told)),
            Err(what) => wrong.push(format!("a sender: {what}")),
        }
    }
    let deadline = Instant::now() + ARRIVES;
    for receiver in &receivers {
        let expected = accepted(&refused, &receiver.id, burst);
        let all: usize = expected.values().map(Vec::len).sum();
        receiver.until(all, deadline).await;
        let received = by_sender(&receiver.received.borrow());
        if let Some(end) = &*receiver.is_over.borrow() {
            wrong.push(format!("a receiver was ended ({end}) after {} of {all}", receiver.received.borrow().len()));
        } else if received != expected {
            wrong.push(format!(
                "a receiver received {} frames, not the {all} in order",
                receiver.received.borrow().len()
            ));
        }
    }
    println!("frames refused: {}", refused.values().flat_map(BTreeMap::values).map(Vec::len).sum::<usize>());
    wrong
}

/// What the server took for that receiver, by sender and in order.
fn accepted(refused: &BTreeMap<String, Refused>, receiver: &str, burst: Burst) -> BTreeMap<String, Vec<u64>> {
    let of = |told: &Refused| {
        let not = told.get(receiver).cloned().unwrap_or_default();
        (0..burst.frames * burst.rounds).filter(|number| !not.contains(number)).collect::<Vec<_>>()
    };
    let all = refused.iter().map(|(sender, told)| (sender.clone(), of(told)));
    all.filter(|(_, numbers)| !numbers.is_empty()).collect()
}

fn by_sender(received: &[(String, u64)]) -> BTreeMap<String, Vec<u64>> {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (sender, number) in received {
        all.entry(sender.clone()).or_default().push(*number);
    }
    all
}

async fn enter(to: SocketAddr, buffer: Option<u32>) -> Client {
    let mut peer = client_from(FLOODER, to, buffer).await;
    let answer = peer.join("a busy room", &json!({})).await;
    assert!(matches!(&answer, Came::Frame(joined) if joined["type"] == "joined"), "a member cannot join: {answer:?}");
    peer
}

/// Reads at that pace until the connection ends.
async fn receive(mut peer: Client, pace: u64, receiver: Receiver) {
    // Until then it may not read on.
    let mut until = Instant::now();
    loop {
        match peer.next().await {
            Came::Frame(frame) if frame["type"] == "signal" => {
                let (sender, number) = (frame["from"].as_str().unwrap_or_default(), frame["data"]["n"].as_u64());
                receiver.received.borrow_mut().push((sender.to_owned(), number.expect("a number")));
                receiver.changed.notify_one();
                let bytes = u64::try_from(frame.to_string().len()).expect("small");
                until = until.max(Instant::now()) + Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / pace);
                // This is the load, and no wait for anything: a line of that pace. Timers are no finer than a millisecond, so
                // it catches up after several.
                if until > Instant::now() + TIMER {
                    time::sleep_until(until.into()).await;
                }
            }
            Came::Frame(_) => {}
            end => {
                *receiver.is_over.borrow_mut() = Some(format!("{end:?}"));
                return receiver.changed.notify_one();
            }
        }
    }
}

/// Sends the bursts, each once the last was taken. Returns which frames were refused for which receivers.
async fn send(mut peer: Client, to: Vec<String>, burst: Burst) -> (String, Result<Refused, String>) {
    let padding = "x".repeat(burst.bytes);
    let mut refused = Refused::new();
    let id = peer.id.clone();
    for round in 0..burst.rounds {
        let numbers = round * burst.frames..(round + 1) * burst.frames;
        let signal = |n: u64| json!({"type": "signal", "id": n.to_string(), "to": to, "kind": "app", "data": {"n": n, "x": padding}});
        let barrier = format!("round-{round}");
        let frames: Vec<Value> = numbers.map(signal).chain([json!({"type": "ping", "id": barrier})]).collect();
        if let Err(error) = peer.send_json(&frames).await {
            return (id, Err(error.to_string()));
        }
        loop {
            match peer.next().await {
                Came::Frame(frame) if frame["re"] == barrier => break,
                Came::Frame(frame) if frame["code"] == "peer_busy" => {
                    let number = frame["re"].as_str().and_then(|re| re.parse().ok()).expect("which frame");
                    for peer in frame["peers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                        refused.entry(peer.to_owned()).or_default().push(number);
                    }
                }
                Came::Frame(_) => {}
                end => return (id, Err(format!("{end:?}"))),
            }
        }
    }
    (id, Ok(refused))
}
