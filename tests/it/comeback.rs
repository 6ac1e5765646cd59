//! A server that is killed with five hundred peers on it, and started again: all of them are back soon, and they do not
//! all knock at once. The clients keep to the rule of the protocol's page.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Builder, TestServer, eventually, expect_eq, ports,
    swarm::{self, Came, Client},
};

const PEERS: usize = 500;
const PEERS_PER_ROOM: usize = 10;
/// The rule of "Coming back": the ceiling of the first wait after a connection that ended without a word, and of any.
const FIRST: Duration = Duration::from_secs(4);
const MOST: Duration = Duration::from_secs(30);
/// All are back within this, once there is a server again. (Whoever failed just before that waits no longer than `MOST`.)
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// Most of them that may come within any one second, in a hundred. Were their waits not spread, all of them would.
const PEAK_PERCENT: usize = 45;

/// How one peer came back.
#[derive(Debug)]
struct Back {
    /// When it tried, the last time with success.
    tried: Vec<Instant>,
    /// When it was in its room again.
    joined: Instant,
}

/// How it went.
struct Outage {
    killed: Instant,
    /// When there was a server again.
    over: Instant,
    backs: Vec<Back>,
}

/// A random time up to `most`, evenly distributed.
fn jitter(most: Duration) -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("random numbers");
    most.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
}

fn room(number: usize) -> String {
    format!("room-{}", number / PEERS_PER_ROOM)
}

/// Every other one can be resumed, and will find that the new server knows nothing of it.
fn manner(number: usize) -> Value {
    json!({"resumable": number.is_multiple_of(2)})
}

/// Hears the end of its connection and comes back.
async fn survive(mut client: Client, number: usize, token: Value, to: std::net::SocketAddr) -> Back {
    while let Came::Frame(_) = client.next().await {}
    let mut tried = Vec::new();
    loop {
        let attempt = u32::try_from(tried.len()).expect("few");
        swarm::pass(jitter(MOST.min(FIRST * 2_u32.pow(attempt.min(8))))).await;
        tried.push(Instant::now());
        let Ok(mut client) = Client::connect(to).await else { continue };
        if token.is_string() {
            let resume = json!({"resume": {"token": token, "ack": 0}, "attempt": attempt + 1});
            match client.join(&room(number), &resume).await {
                Came::Frame(error) => assert_eq!(error["code"], "session_not_found", "{error}"),
                _ => continue,
            }
        }
        let again = json!({"attempt": attempt + 1, "resumable": token.is_string()});
        match client.join(&room(number), &again).await {
            Came::Frame(joined) if joined["type"] == "joined" => {}
            Came::Frame(refused) => panic!("{number} may not come back: {refused}"),
            _ => continue,
        }
        let joined = Instant::now();
        // It stays, so that the server's figures are of all of them.
        tokio::task::spawn_local(async move { while let Came::Frame(_) = client.next().await {} });
        return Back { tried, joined };
    }
}

/// Kills the server under everybody, starts another in its place after `away`, and waits until everybody is back.
fn kill_and_start(first: TestServer, successor: Builder, away: Duration) -> Outage {
    swarm::on_one_thread(async {
        let crowd = swarm::crowd(first.public, PEERS, room, manner).await;
        let to = first.public;
        let surviving: Vec<_> = crowd
            .into_iter()
            .enumerate()
            .map(|(number, (client, joined))| {
                let token = joined["resume"]["token"].clone();
                tokio::task::spawn_local(survive(client, number, token, to))
            })
            .collect();
        let killed = Instant::now();
        first.signal("KILL");
        drop(first);
        swarm::pass(away).await;
        let starting = thread::spawn(move || (successor.start(), Instant::now()));
        let mut backs = Vec::with_capacity(PEERS);
        for one in surviving {
            backs.push(one.await.expect("a client that did not panic"));
        }
        let (second, over) = starting.join().expect("a server in its place");
        check_figures(&second);
        Outage { killed, over, backs }
    })
}

/// The new server knows those who came, and no ghosts of those who were.
#[track_caller]
fn check_figures(server: &TestServer) {
    let result = |result| format!("switchboard_reconnection_attempts_total{{result=\"{result}\"}}");
    let [peers, rooms] = [PEERS, PEERS / PEERS_PER_ROOM].map(|count| f64::from(u32::try_from(count).unwrap()));
    eventually("peers, rooms, who joined, whose session was unknown, and who left are the truth", || {
        let scrape = server.scrape();
        let found = [
            scrape.value("switchboard_joined_connections"),
            scrape.value("switchboard_peers"),
            scrape.value("switchboard_rooms"),
            scrape.value(&result("joined")),
            scrape.value(&result("not_found")),
            scrape.sum("switchboard_leaves_total", ""),
        ];
        expect_eq(&found, &[peers, peers, rooms, peers, peers / 2.0, 0.0])
    });
}

/// How many of these moments fall into each second.
fn curve(moments: &[Duration]) -> Vec<usize> {
    let mut seconds = Vec::new();
    for moment in moments {
        let second = usize::try_from(moment.as_secs()).expect("soon");
        if seconds.len() <= second {
            seconds.resize(second + 1, 0);
        }
        seconds[second] += 1;
    }
    seconds
}

/// Most of these moments within one second, wherever it begins.
fn peak(mut moments: Vec<Duration>) -> usize {
    moments.sort_unstable();
    let within = |from: &Duration| moments.partition_point(|at| *at < *from + Duration::from_secs(1));
    (0..).zip(&moments).map(|(at, from)| within(from) - at).max().unwrap_or_default()
}

#[track_caller]
fn all_come_back(away: Duration) {
    let port = ports::reserve();
    let server = || TestServer::set("server.port", port).set("log.level", "info");
    let first = server().start();
    let Outage { killed, over, backs } = kill_and_start(first, server(), away);
    let since = |moments: Vec<Instant>| moments.iter().map(|at| *at - killed).collect::<Vec<_>>();
    let joined = since(backs.iter().map(|back| back.joined).collect());
    let tried = since(backs.iter().flat_map(|back| back.tried.iter().copied()).collect());
    let (last, there) = (joined.iter().max().copied().unwrap_or_default(), over - killed);
    println!(
        "a server again after {there:?}: attempts in each second {:?}, arrivals {:?}, the last after {last:?}",
        curve(&tried),
        curve(&joined)
    );
    assert!(last < there + BACK_WITHIN, "the last was back after {last:?}");
    let most = peak(joined);
    println!("at most {most} of {PEERS} within one second, {} %", most * 100 / PEERS);
    assert!(most * 100 < PEERS * PEAK_PERCENT, "{most} of {PEERS} came within one second");
}

#[test]
fn five_hundred_peers_of_a_server_that_is_killed_and_started_at_once_come_back_one_after_the_other() {
    all_come_back(Duration::ZERO);
}

#[test]
fn five_hundred_peers_of_a_server_that_stays_away_for_a_while_come_back_one_after_the_other() {
    all_come_back(Duration::from_secs(2));
}

#[test]
fn the_rule_is_that_of_the_protocols_page_and_of_the_client_library() {
    let page = include_str!("../../docs/protocol.md");
    let section = page.split("\n## ").find(|section| section.starts_with("Coming back")).expect("its section");
    let client = include_str!("../../clients/web/client/src/signaling/backoff.ts");
    for (told, written) in [
        ("500 ms at first", "BACKOFF_FIRST_MS = 500;"),
        (
            &*format!("{} ms when the connection ended without a word", FIRST.as_millis()),
            "BACKOFF_FIRST_WORDLESS_MS = 4_000;",
        ),
        (&*format!("up to {} ms", MOST.as_millis()), "BACKOFF_MAX_MS = 30_000;"),
        ("5000 ms in a room", "STABLE_MS = 5_000;"),
    ] {
        assert!(section.contains(told), "docs/protocol.md does not say: {told}");
        assert!(client.contains(written), "clients/web/client/src/signaling/backoff.ts does not say: {written}");
    }
}
