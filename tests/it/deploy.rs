//! The deploy drill: a server full of talking clients is told to go, and nothing that it accepted is lost.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::{Instant as Tick, sleep_until};

use crate::support::{
    PATIENCE, TestServer,
    swarm::{self, Came, Client},
};

const PEERS: usize = 2000;
const PEERS_PER_ROOM: usize = 10;
/// Time that the connections are spread over, and by when the process ends.
const DRAIN: Duration = Duration::from_secs(6);
const DEADLINE: Duration = Duration::from_secs(12);
/// Each peer talks to the next one of its room this often …
const PERIOD: Duration = Duration::from_secs(1);
/// … and this often around the moment at which that one's connection is to be closed: there it could be lost.
const HURRIED: Duration = Duration::from_millis(5);
/// How long before and after that moment.
const AROUND: Duration = Duration::from_millis(60);
/// Talk before the server is told to go.
const WARM_UP: Duration = Duration::from_secs(1);

/// What is known of all peers, by number.
struct Shared {
    ids: Vec<String>,
    /// When each is to be closed, once it was told.
    closing: RefCell<Vec<Option<Instant>>>,
    begun: Cell<Option<Instant>>,
}

/// What one peer has to tell.
#[derive(Default)]
struct Story {
    /// Messages that it sent to the next one, numbered from 0.
    sent: u64,
    /// The number of the last one that the server has certainly handled: it answered what came behind it.
    handled: Option<u64>,
    /// Those that the server said it could not deliver.
    refused: Vec<u64>,
    /// Those that it got from the one before it.
    got: Vec<u64>,
    /// When it was told that it would be closed.
    told: Option<Duration>,
    /// When it was, counted from the signal.
    closed: Option<Duration>,
    code: Option<u16>,
}

/// The one that a peer talks to.
fn next_of(number: usize) -> usize {
    let first = number - number % PEERS_PER_ROOM;
    first + (number + 1 - first) % PEERS_PER_ROOM
}

/// Talks and listens until the server has closed the connection.
async fn live(mut client: Client, number: usize, shared: Rc<Shared>) -> Story {
    let mut story = Story::default();
    let to = next_of(number);
    let mut gone = false;
    let phase = PERIOD.mul_f64(f64::from(u32::try_from(number % 100).expect("small")) / 100.0);
    let mut due = Instant::now() + phase;
    loop {
        tokio::select! {
            biased;
            came = client.next() => match came {
                Came::Frame(frame) => gone |= receive(&frame, number, &mut story, &shared),
                Came::Close(code) => {
                    story.code = Some(code);
                    story.closed = shared.begun.get().map(|begun| begun.elapsed());
                    client.see_off().await;
                    return story;
                }
                Came::Lost => return story,
            },
            () = sleep_until(Tick::from_std(due)), if !gone => {
                talk(&mut client, &shared.ids[to], &mut story).await;
                due = next_due(shared.closing.borrow()[to]);
            }
        }
    }
}

/// When to talk again to one that is closed at `closing`.
fn next_due(closing: Option<Instant>) -> Instant {
    let now = Instant::now();
    match closing {
        Some(closing) if now + AROUND > closing && now < closing + AROUND => now + HURRIED,
        // No later than when the hurry begins.
        Some(closing) if now < closing => now + PERIOD.min(closing.duration_since(now + AROUND)),
        _ => now + PERIOD,
    }
}

/// A numbered message, and a question whose answer shows that the message was handled.
async fn talk(client: &mut Client, to: &str, story: &mut Story) {
    let number = story.sent;
    let message = json!({"type": "signal", "id": number.to_string(), "to": to, "kind": "app", "data": number});
    let question = json!({"type": "ping", "id": number.to_string()});
    // A server that has hung up is found by whoever listens.
    if client.send_json(&[message, question]).await.is_ok() {
        story.sent += 1;
    }
}

/// Whether the next one has left.
fn receive(frame: &Value, number: usize, story: &mut Story, shared: &Shared) -> bool {
    let re = || frame["re"].as_str().and_then(|re| re.parse().ok()).expect("the number of a message");
    match frame["type"].as_str().unwrap_or_default() {
        "signal" => story.got.push(frame["data"].as_u64().expect("a number")),
        "pong" => story.handled = Some(re()),
        "error" => {
            assert_eq!(frame["code"], "peer_not_found", "{frame}");
            story.refused.push(re());
        }
        "bye" => {
            assert_eq!(frame["reason"], "server_draining", "{frame}");
            let place = Duration::from_millis(frame["retryAfterMs"].as_u64().expect("retryAfterMs"));
            story.told = Some(place);
            shared.closing.borrow_mut()[number] = shared.begun.get().map(|begun| begun + place);
        }
        "peer_left" => return frame["id"] == shared.ids[next_of(number)].as_str(),
        _ => {}
    }
    false
}

/// The whole drill: connects everybody, lets them talk, sends the signal, and listens to the end.
fn drill(server: &TestServer) -> Vec<Story> {
    swarm::on_one_thread(async {
        let room = |number: usize| format!("room-{}", number / PEERS_PER_ROOM);
        // To a session that can be resumed messages go another way.
        let manner = |number: usize| json!({"resumable": number.is_multiple_of(2)});
        let crowd = swarm::crowd(server.public, PEERS, room, manner).await;
        let ids = crowd.iter().map(|(client, _)| client.id.clone()).collect();
        let closing = RefCell::new(vec![None; PEERS]);
        let shared = Rc::new(Shared { ids, closing, begun: Cell::new(None) });
        let living: Vec<_> = crowd
            .into_iter()
            .enumerate()
            .map(|(number, (client, _))| tokio::task::spawn_local(live(client, number, Rc::clone(&shared))))
            .collect();
        sleep_until(Tick::now() + WARM_UP).await;
        shared.begun.set(Some(Instant::now()));
        server.terminate();
        let mut stories = Vec::with_capacity(PEERS);
        for one in living {
            stories.push(one.await.expect("a client that did not panic"));
        }
        stories
    })
}

/// Nothing that was accepted is lost, doubled or out of order; what was not accepted was said so.
#[track_caller]
fn check_messages(stories: &[Story]) {
    let (mut sent, mut got, mut refused, mut open) = (0, 0, 0, 0);
    let mut lost = Vec::new();
    for (number, story) in stories.iter().enumerate() {
        let receiver = &stories[next_of(number)];
        assert!(receiver.got.is_sorted_by(|a, b| a < b), "{number}: out of order or twice: {:?}", receiver.got);
        let handled = story.handled.map_or(0, |last| last + 1);
        for message in 0..story.sent {
            if receiver.got.binary_search(&message).is_ok() {
                got += 1;
            } else if story.refused.contains(&message) {
                refused += 1;
            } else if message < handled {
                lost.push((number, message));
            } else {
                open += 1;
            }
        }
        sent += story.sent;
    }
    println!("{sent} messages: {got} arrived, {refused} refused, {open} not handled before their senders were closed");
    assert!(lost.is_empty(), "{} lost, as (sender, number): {:?}", lost.len(), &lost[..lost.len().min(20)]);
    assert!(got > PEERS && refused > 0, "the drill asked for nothing");
}

/// How many of these moments fall into each tenth of the drain; what is later counts for the last one.
fn tenths(moments: impl Iterator<Item = Duration>) -> [usize; 10] {
    let mut tenths = [0; 10];
    for moment in moments {
        let tenth = moment.as_millis() * 10 / DRAIN.as_millis();
        tenths[usize::try_from(tenth).unwrap_or(9).min(9)] += 1;
    }
    tenths
}

/// Nobody is told to be closed in the first tenth of the time, in which the drain may be taken back; from then on as many in each.
#[track_caller]
fn check_spread(stories: &[Story]) {
    let told = tenths(stories.iter().map(|story| story.told.expect("a bye")));
    let closed = tenths(stories.iter().map(|story| story.closed.expect("a close frame")));
    println!("of {PEERS}, in each tenth of {DRAIN:?}: told to be closed {told:?}, closed {closed:?}");
    let fair = PEERS / 9;
    let is_even = told[1..].iter().all(|count| count.abs_diff(fair) <= fair / 10);
    assert!(told[0] == 0 && is_even, "told in each tenth of the time: {told:?}");
    // When they hear of it is also a matter of how busy this machine is with other tests: all these clients are one thread.
    assert!(closed.iter().all(|count| *count < 4 * fair), "closed in each tenth of the time: {closed:?}");
    assert!(stories.iter().all(|story| story.code == Some(1012)), "not everybody was closed with 1012");
}

#[test]
fn two_thousand_talking_peers_lose_nothing_and_come_back_spread_out() {
    let mut server = TestServer::set("server.drain_ms", DRAIN.as_millis())
        .set("server.drain_deadline_ms", DEADLINE.as_millis())
        .set("log.level", "info")
        .start();
    let stories = drill(&server);
    let status = server.wait_exit(PATIENCE);
    assert_eq!(status.code(), Some(0));
    check_messages(&stories);
    check_spread(&stories);
    let finished = server.wait_for_log("how it went", |line| line.event() == "drain_finished");
    let (took, stragglers) = (finished.json["took_ms"].as_f64(), finished.json["stragglers"].as_u64());
    assert!(took.is_some_and(|took| took < DEADLINE.as_secs_f64() * 1e3), "{}", finished.text);
    assert_eq!(stragglers, Some(0), "{}", finished.text);
    for event in ["connection_closed", "peer_left"] {
        let lines = server.log().lines_where(event);
        let draining = lines.iter().filter(|line| line.says("reason", "server_draining")).count();
        assert_eq!((lines.len(), draining), (PEERS, PEERS), "{event}");
    }
}

/// Comes and goes until the server goes; says whether it was told so, once it had been welcomed.
async fn knock(number: usize, to: SocketAddr) -> bool {
    // A handshake that is refused says so by its status.
    while let Ok(mut client) = Client::connect(to).await {
        let mut came = client.join(&format!("room-{}", number / PEERS_PER_ROOM), &json!({})).await;
        if matches!(&came, Came::Frame(frame) if frame["type"] == "joined") {
            // By turns it hangs up without a word, and stays for a frame or two.
            if number.is_multiple_of(3) {
                came = client.next().await;
            } else {
                continue;
            }
        }
        while let Came::Frame(frame) = &came {
            let draining = frame["code"] == "server_draining" || frame["reason"] == "server_draining";
            if !draining && frame["type"] != "peer_left" && frame["type"] != "peer_joined" {
                return false;
            }
            came = client.next().await;
        }
        client.see_off().await;
        return matches!(came, Came::Close(1012));
    }
    true
}

#[test]
fn who_comes_while_the_server_is_told_to_go_is_told_so_and_left_hanging_by_nobody() {
    const CROWD: usize = 200;
    let mut server = TestServer::set("server.drain_ms", 500)
        .set("server.drain_deadline_ms", 5000)
        .set("server.workers", 4)
        .set("limits.peers_per_room", 100)
        .set("limits.meta_bytes", 1000)
        .set("log.level", "info")
        .start();
    let told = swarm::on_one_thread(async {
        let to = server.public;
        let knocking: Vec<_> = (0..CROWD).map(|number| tokio::task::spawn_local(knock(number, to))).collect();
        swarm::pass(Duration::from_millis(700)).await;
        server.terminate();
        let mut told = 0;
        for one in knocking {
            told += usize::from(one.await.expect("a client that did not panic"));
        }
        told
    });
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
    assert_eq!(told, CROWD);
    let finished = server.wait_for_log("how it went", |line| line.event() == "drain_finished");
    assert_eq!(finished.json["stragglers"], 0, "{}", finished.text);
    let count = |event| server.log().lines_where(event).len();
    assert_eq!(count("connection_opened"), count("connection_closed"));
    assert_eq!(count("peer_joined"), count("peer_left"));
}
