//! The sweep by due times against a naive one that looks at everybody each time, and the real sessions' part of it.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use tokio::net::{TcpListener, TcpStream};

use super::super::{
    Ports, SessionConfig,
    attachment::Attachment,
    heartbeat::{Beat, Found, HeartbeatTimes, Verdict},
    registry::{Registry, Standing},
    shared::{RoomHandle, SESSIONS, SessionShared},
    turns::Turn,
    wheel::{Position, Positioned, Wheel},
};
use crate::{
    config::Settings,
    messages::{
        room::{RoomPort, ToRoom},
        supervisor::{Join, Leave, Moderate, Presence, Resume},
    },
    protocol::{EndReason, RoomName},
    ws::Connection,
};

const HEARTBEAT: HeartbeatTimes =
    HeartbeatTimes { interval: Duration::from_secs(30), timeout: Duration::from_secs(60) };
const PERIOD: Duration = Duration::from_secs(1);
/// A sweep that is later than this is a late one.
const LATE: Duration = Duration::from_secs(2);

/// A connection as far as the sweep knows it.
#[derive(Debug, Clone, Copy)]
struct Peer {
    beat: Beat,
    found: Found,
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self {
            beat: Beat::since(now),
            found: Found { attached: true, received: false, restless: true, deadline: None },
        }
    }

    /// What a look does, whoever looks.
    fn look(&mut self, now: Instant, late: bool) -> Verdict {
        let verdict = self.beat.judge(self.found, now, HEARTBEAT, late);
        self.found.received = false;
        if verdict.rest {
            self.found.restless = false;
        }
        verdict
    }
}

struct Item {
    name: usize,
    peer: Cell<Peer>,
    position: Cell<Position>,
}

impl Positioned for Item {
    fn position(&self) -> &Cell<Position> {
        &self.position
    }
}

/// What happens to one connection.
#[derive(Debug, Clone, Copy)]
enum Happens {
    SignalOutcome,
    /// Something is queued for it, and written at once.
    Queued,
    Deadline(Duration),
    NoDeadline,
    Lost,
    Back,
    Gone,
    New,
}

#[derive(Debug, Clone)]
enum Step {
    To(usize, Happens),
    /// So long until the next sweep: mostly on time, sometimes late, sometimes after a stop.
    Sweep(Duration),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let millis = |range| Strategy::prop_map(range, Duration::from_millis);
    let happens = prop_oneof![
        4 => Just(Happens::SignalOutcome),
        3 => Just(Happens::Queued),
        3 => millis(0_u64..200_000).prop_map(Happens::Deadline),
        1 => Just(Happens::NoDeadline),
        1 => Just(Happens::Lost),
        2 => Just(Happens::Back),
        1 => Just(Happens::Gone),
        2 => Just(Happens::New),
    ];
    let pause = prop_oneof![
        20 => Just(PERIOD),
        5 => millis(10_u64..1500),
        2 => millis(1500_u64..4000),
        1 => millis(4000_u64..300_000),
    ];
    let step = prop_oneof![
        1 => (any::<prop::sample::Index>(), happens).prop_map(|(who, what)| Step::To(who.index(8), what)),
        3 => pause.prop_map(Step::Sweep),
    ];
    prop::collection::vec(step, 1..400)
}

/// Both sweeps side by side.
struct Race {
    now: Instant,
    wheel: Wheel<Item>,
    items: Vec<Option<Rc<Item>>>,
    naive: Vec<Option<Peer>>,
    looks: usize,
}

impl Race {
    fn new() -> Self {
        let now = Instant::now();
        let none = || (0..8).map(|_| None);
        Self { now, wheel: Wheel::new(now), items: none().collect(), naive: (0..8).map(|_| None).collect(), looks: 0 }
    }

    fn happens(&mut self, name: usize, what: Happens) {
        let now = self.now;
        match what {
            Happens::New if self.items[name].is_none() => {
                let (peer, position) = (Cell::new(Peer::new(now)), Cell::new(Position::OUTSIDE));
                let item = Rc::new(Item { name, peer, position });
                self.naive[name] = Some(item.peer.get());
                self.wheel.insert(Rc::clone(&item));
                self.items[name] = Some(item);
            }
            Happens::Gone => {
                self.naive[name] = None;
                if let Some(item) = self.items[name].take() {
                    assert!(self.wheel.remove(&item).is_some());
                }
            }
            _ => {
                let (Some(item), Some(naive)) = (&self.items[name], &mut self.naive[name]) else { return };
                let mut peer = item.peer.get();
                change(&mut peer, what, now);
                change(naive, what, now);
                item.peer.set(peer);
                self.wheel.hurry(item);
            }
        }
    }

    fn sweep(&mut self, pause: Duration) {
        self.now += pause;
        let late = pause.saturating_sub(PERIOD) > LATE;
        let mut seen = [None; 8];
        for item in self.wheel.take_due(self.now) {
            self.looks += 1;
            let mut peer = item.peer.get();
            let verdict = peer.look(self.now, late);
            item.peer.set(peer);
            seen[item.name] = Some(verdict);
            self.wheel.put_back(item, verdict.again);
        }
        for (naive, seen) in self.naive.iter_mut().zip(seen) {
            let Some(naive) = naive else { continue };
            let done = |v: Verdict| (v.ping, v.rest, v.end);
            let wanted = done(naive.look(self.now, late));
            assert_eq!(seen.map_or((false, false, None), done), wanted, "{naive:?}");
        }
        assert_eq!(self.wheel.len(), self.naive.iter().flatten().count());
    }
}

fn change(peer: &mut Peer, what: Happens, now: Instant) {
    match what {
        Happens::SignalOutcome => peer.found.received |= peer.found.attached,
        Happens::Queued => peer.found.restless |= peer.found.attached,
        Happens::Deadline(after) => peer.found.deadline = Some((now + after, EndReason::JoinTimeout)),
        Happens::NoDeadline => peer.found.deadline = None,
        Happens::Lost => (peer.found.attached, peer.found.restless) = (false, false),
        Happens::Back => {
            peer.beat = Beat::since(now);
            (peer.found.attached, peer.found.restless) = (true, true);
        }
        Happens::Gone | Happens::New => {}
    }
}

proptest! {
    /// Whoever is pinged, ended or gives memory back, is so at the very sweep at which a sweep of everybody does it.
    #[test]
    fn the_wheel_does_at_each_sweep_what_a_sweep_of_everybody_does(steps in steps()) {
        let mut race = Race::new();
        for name in 0..4 {
            race.happens(name, Happens::New);
        }
        for step in steps {
            match step {
                Step::To(who, what) => race.happens(who, what),
                Step::Sweep(pause) => race.sweep(pause),
            }
        }
    }
}

#[test]
fn a_client_that_only_answers_pings_is_looked_at_a_few_times_per_interval() {
    let mut race = Race::new();
    race.happens(0, Happens::New);
    for second in 0..310 {
        if second % 31 == 0 {
            race.happens(0, Happens::SignalOutcome);
        }
        race.sweep(PERIOD);
    }
    assert!(race.looks <= 40, "{} looks in ten intervals", race.looks);
}

/// Somebody for sessions to speak to.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

macro_rules! ignores {
    ($($message:ty),*) => {$(
        impl Handler<$message> for Nobody {
            type Result = ();

            fn handle(&mut self, _: $message, _: &mut Self::Context) {}
        }
    )*};
}

ignores!(Join, Leave, Moderate, Presence, Resume, ToRoom);

/// What a session with a real socket shares, and the client's side of it.
async fn shared(now: Instant) -> (Rc<SessionShared>, TcpStream) {
    let nobody = Nobody.start();
    let ports = Ports {
        join: nobody.clone().recipient(),
        leave: nobody.clone().recipient(),
        resume: nobody.clone().recipient(),
        presence: nobody.clone().recipient(),
        moderate: nobody.clone().recipient(),
    };
    let setup = Rc::new(SessionConfig::for_tests(&Settings::default(), ports));
    let (connection, client) = connection(now).await;
    let shared = SessionShared::new(Some(connection), setup, None, now);
    SESSIONS.with(|sessions| sessions.insert(&shared));
    (shared, client)
}

async fn connection(now: Instant) -> (Attachment, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    (Attachment::new(Connection::new(socket.into(), Box::new(())), now), client)
}

/// Sweeps as the arbiter's tick does; how many sessions were looked at.
fn look(now: Instant) -> usize {
    SESSIONS.with(|sessions| {
        let due = sessions.take_due(now);
        let looks = due.len();
        for shared in due {
            let again = super::look(&shared, now, HEARTBEAT, false);
            sessions.put_back(shared, again);
        }
        assert_eq!(sessions.counts(), sessions.counted_anew());
        looks
    })
}

fn dismiss(shared: &SessionShared) {
    SESSIONS.with(|sessions| sessions.remove(shared));
}

#[actix::test]
async fn whatever_concerns_the_sweep_has_the_next_one_look() {
    let mut now = Instant::now();
    let (shared, _client) = shared(now).await;
    let spare = connection(now).await;
    let mut quiet = || {
        while look(now) > 0 {
            now += PERIOD;
        }
        now += PERIOD;
        now
    };
    assert_eq!(look(quiet()), 0);
    shared.received();
    assert_eq!(look(quiet()), 0, "all that was to do is done");
    for concern in [
        (|shared| shared.received()) as fn(&SessionShared),
        |shared| shared.queue("x".into()),
        |shared| shared.end_at(Some((Instant::now() + PERIOD * 60, EndReason::JoinTimeout))),
        |shared| shared.end_at(None),
        |shared| shared.replay(vec!["x".into()]),
    ] {
        let at = quiet();
        concern(&shared);
        assert_eq!(look(at), 1);
        shared.connection.flush();
    }
    let at = quiet();
    drop(shared.detach_quietly());
    shared.attach(spare.0, 0, at);
    assert_eq!(look(at), 1);
    dismiss(&shared);
}

#[actix::test]
async fn a_deadline_that_is_moved_forward_is_met_and_a_parked_session_keeps_its_own() {
    let start = Instant::now();
    let (shared, _client) = shared(start).await;
    shared.end_at(Some((start + PERIOD * 50, EndReason::JoinTimeout)));
    look(start + PERIOD);
    shared.end_at(Some((start + PERIOD * 5, EndReason::Internal)));
    for second in 2..5 {
        look(start + PERIOD * second);
    }
    assert_eq!(shared.kill_switch.reason(), None);
    look(start + PERIOD * 5);
    assert_eq!(shared.kill_switch.take().map(|killed| killed.reason), Some(EndReason::Internal));
    drop(shared.detach_quietly());
    shared.end_at(Some((start + PERIOD * 200, EndReason::ResumeExpired)));
    for second in 6..200 {
        look(start + PERIOD * second);
    }
    assert_eq!(shared.kill_switch.reason(), None, "nobody pings who is not there");
    look(start + PERIOD * 200);
    assert_eq!(shared.kill_switch.reason(), Some(EndReason::ResumeExpired));
    dismiss(&shared);
}

#[actix::test]
async fn who_waits_for_its_turn_is_not_silent() {
    let start = Instant::now();
    let (shared, _client) = shared(start).await;
    for (turn, seconds, end) in [(Turn::Waiting, 1..200, None), (Turn::None, 200..300, Some(EndReason::PingTimeout))] {
        shared.turn.set(turn);
        seconds.for_each(|second| _ = look(start + PERIOD * second));
        assert_eq!(shared.kill_switch.reason(), end);
    }
}

#[actix::test]
async fn sessions_are_counted_as_what_they_are() {
    let now = Instant::now();
    let (shared, _client) = shared(now).await;
    let spare = connection(now).await;
    let counts = |standing: Option<Standing>| {
        let mut counts = [0; 3];
        if let Some(standing) = standing {
            counts[standing as usize] = 1;
        }
        let anew = SESSIONS.with(Registry::counted_anew);
        assert_eq!((super::standing(), anew), (counts, counts), "{standing:?}");
    };
    let place = || RoomHandle {
        room: RoomName::parse("blue", 128).expect("a name"),
        port: RoomPort::new(Nobody.start().recipient()),
        recording: None,
    };
    counts(Some(Standing::Connected));
    shared.enter(Some(place()));
    counts(Some(Standing::Joined));
    shared.enter(Some(place()));
    counts(Some(Standing::Joined));
    drop(shared.detach_quietly());
    drop(shared.detach_quietly());
    counts(Some(Standing::Parked));
    shared.attach(spare.0, 0, now);
    counts(Some(Standing::Joined));
    shared.enter(None);
    counts(Some(Standing::Connected));
    dismiss(&shared);
    counts(None);
    // What is still said of a session that is over counts for nothing.
    drop(shared.detach_quietly());
    counts(None);
}
