//! One peer: connects, joins or resumes, talks until its connection is lost, and comes back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use fastrand::Rng;
use serde_json::{Value, json};
use switchboard_chaos::Ending;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use crate::{
    connection::{Came, Connection, Gone, PATIENCE, brief},
    membership::{Membership, Then},
    world::{Phase, World},
};

/// Counted frames after which a client acknowledges: half of what this server keeps.
const ACK_EVERY: u64 = 20;
/// Frames that a failure is told with.
const RECENT: usize = 30;
/// How often a calm peer pings.
const CALM_PING: Duration = Duration::from_millis(200);

/// What everybody may look at.
#[derive(Default)]
pub(crate) struct Slot {
    pub(crate) membership: Option<Membership>,
    /// Whether it is on a connection now.
    pub(crate) connected: bool,
    /// It went home.
    pub(crate) gone: bool,
}

pub(crate) type Shared = Arc<Mutex<Slot>>;

/// What is to happen to a stalled connection in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Heals,
    Dropped,
    Reset,
}

pub(crate) struct Peer {
    pub(crate) world: Arc<World>,
    pub(crate) dice: Rng,
    pub(crate) index: usize,
    pub(crate) resumable: bool,
    /// Never acknowledges by itself, so that it misses too much when it is away.
    pub(crate) lazy: bool,
    pub(crate) slot: Shared,
    pub(crate) phase: watch::Receiver<Phase>,
    /// What becomes of the stalled connection, and when.
    pub(crate) fate: Option<(Instant, Fate)>,
    /// Whether something was done to the present connection.
    pub(crate) hurt: bool,
    recent: VecDeque<String>,
}

/// The slot, if no test has panicked with it in hand.
pub(crate) fn look(slot: &Shared) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next frame but for answers to pings before it.
async fn answer_to_join(connection: &mut Connection) -> Result<Came, Gone> {
    let until = Instant::now() + PATIENCE;
    loop {
        match connection.receive(until).await? {
            Came::Frame(frame) if frame["type"] == "pong" => {}
            came => return Ok(came),
        }
    }
}

impl Peer {
    pub(crate) fn new(world: &Arc<World>, index: usize) -> Self {
        let mut dice = Rng::with_seed(world.plan.seed.wrapping_add(index as u64));
        Self {
            world: Arc::clone(world),
            resumable: dice.u8(..10) < 7,
            lazy: dice.u8(..10) < 2,
            dice,
            index,
            slot: Shared::default(),
            phase: world.phase.subscribe(),
            fate: None,
            hurt: false,
            recent: VecDeque::new(),
        }
    }

    /// Lives until everybody is to go home.
    pub(crate) async fn run(mut self) {
        while *self.phase.borrow_and_update() != Phase::Leave {
            if let Ok(connection) = Connection::open(&self.world).await {
                self.world.count("connections");
                self.live(connection).await;
            }
            self.lost();
            let most = if self.dice.u8(..5) == 0 { self.world.window * 3 / 2 } else { self.world.window / 5 };
            let pause = self.some_of(most);
            self.rest(pause).await;
        }
        let mut slot = look(&self.slot);
        slot.membership = None;
        slot.gone = true;
    }

    /// The connection is gone. A membership that cannot be resumed is over; now and then one that could be is given up.
    fn lost(&mut self) {
        self.fate = None;
        self.hurt = false;
        let given_up = self.dice.u8(..12) == 0;
        let mut slot = look(&self.slot);
        slot.connected = false;
        if slot.membership.as_ref().is_some_and(|membership| membership.token.is_none() || given_up) {
            slot.membership = None;
        }
    }

    /// A connection from its `welcome` to its end.
    async fn live(&mut self, connection: Connection) {
        let mut connection = Some(connection);
        while let Some(open) = connection.as_mut() {
            if look(&self.slot).membership.is_none() || !look(&self.slot).connected {
                self.maybe_hurt_join(open);
                if !self.enter(open).await {
                    return;
                }
            }
            let phase = *self.phase.borrow_and_update();
            match phase {
                Phase::Leave => return self.go_home(connection.take()).await,
                Phase::Calm if self.hurt => self.heal(open),
                Phase::Calm | Phase::Chaos => {}
            }
            if self.step(&mut connection).await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn heal(&mut self, connection: &Connection) {
        connection.line.heal();
        self.hurt = false;
        self.fate = None;
    }

    /// Hears what comes until it is time to do something, and does it. Without a connection afterwards, the peer has hung up.
    async fn step(&mut self, connection: &mut Option<Connection>) -> Result<(), Gone> {
        let Some(open) = connection.as_mut() else { return Ok(()) };
        let calm = *self.phase.borrow() == Phase::Calm;
        let next = Instant::now() + if calm { CALM_PING } else { self.some_of(Duration::from_millis(400)) };
        loop {
            let came = tokio::select! {
                came = open.receive(next) => came?,
                // The world itself holds the sender.
                _ = self.phase.changed() => return Ok(()),
            };
            match came {
                Came::Frame(frame) => self.receive(open, &frame).await?,
                Came::Close(_) => return Err(Gone),
                Came::Nothing => break,
            }
            if look(&self.slot).membership.is_none() {
                return Ok(());
            }
        }
        if calm { self.ping(open).await } else { self.act(connection).await }
    }

    /// A frame of the membership.
    async fn receive(&mut self, connection: &mut Connection, frame: &Value) -> Result<(), Gone> {
        self.note(frame);
        let (then, due) = {
            let mut slot = look(&self.slot);
            let Some(membership) = slot.membership.as_mut() else { return Ok(()) };
            let then = membership.receive(frame);
            (
                then,
                membership.counts.received - membership.counts.acknowledged.min(membership.counts.received)
                    >= ACK_EVERY,
            )
        };
        match then {
            Ok(Then::GoOn) if due && !self.lazy => self.ping(connection).await,
            Ok(Then::GoOn) => Ok(()),
            Ok(Then::Over) => {
                self.world.count("leaves");
                look(&self.slot).membership = None;
                Ok(())
            }
            Ok(Then::Bye(reason)) => self.bye(&reason),
            Err(why) => Err(self.fail(&format!("{why}: {}", brief(frame)))),
        }
    }

    fn bye(&mut self, reason: &str) -> Result<(), Gone> {
        let murky = look(&self.slot).membership.as_ref().is_some_and(|membership| membership.murky);
        match reason {
            "ping_timeout" => {
                self.world.count("ping timeouts");
                Err(Gone)
            }
            // An attempt to resume that was given up has had its effect after all.
            "session_taken" if murky => Err(Gone),
            _ => Err(self.fail(&format!("an unearned bye: {reason}"))),
        }
    }

    /// Joins or resumes. `false`: the connection is no good.
    pub(crate) async fn enter(&mut self, connection: &mut Connection) -> bool {
        loop {
            let asked_at = std::time::Instant::now();
            let (join, room, number) = self.join_frame();
            let resumes = number.is_none();
            self.note(&join);
            let answer = match connection.send(&join).await {
                Ok(()) => answer_to_join(connection).await,
                Err(gone) => Err(gone),
            };
            let Ok(Came::Frame(frame)) = answer else {
                self.unanswered(connection, resumes);
                return false;
            };
            self.note(&frame);
            let outcome = match (frame["type"].as_str(), number) {
                (Some("joined"), Some(number)) => self.joined(number, &room, &frame, asked_at),
                (Some("joined"), None) => self.resumed(&frame, asked_at),
                (Some("error"), _) => self.refused(frame["code"].as_str().unwrap_or_default()),
                (Some("bye"), _) => {
                    self.unanswered(connection, resumes);
                    return false;
                }
                _ => Err("no answer to a join".into()),
            };
            match outcome {
                Err(why) => {
                    self.fail(&format!("{why}: {frame}"));
                    return false;
                }
                Ok(false) => {}
                Ok(true) => return self.first_words(connection).await.is_ok(),
            }
        }
    }

    /// A resume that may have had its effect although nobody heard of it.
    fn unanswered(&mut self, connection: &Connection, resumes: bool) {
        connection.line.end(Ending::Reset);
        if let Some(membership) = look(&self.slot).membership.as_mut().filter(|_| resumes) {
            self.world.count("unanswered resumes");
            membership.murky = true;
        }
    }

    /// The frame, the room, and the number of the join if it is a new one.
    fn join_frame(&mut self) -> (Value, String, Option<u64>) {
        if let Some(membership) = &look(&self.slot).membership {
            let resume = json!({"token": membership.token, "ack": membership.counts.received});
            let join = json!({"type": "join", "id": "resume", "room": membership.room, "attempt": 1, "resume": resume});
            return (join, membership.room.clone(), None);
        }
        let number = self.world.next_join_seq();
        let room = format!("room-{}", self.dice.usize(..self.world.plan.rooms));
        let meta = json!({"join_seq": number, "version": 0});
        let mut join = json!({"type": "join", "id": "join", "room": room, "meta": meta});
        if self.resumable {
            join["resumable"] = json!(true);
        }
        (join, room, Some(number))
    }

    fn joined(&mut self, number: u64, room: &str, frame: &Value, at: std::time::Instant) -> Result<bool, String> {
        let membership = Membership::begin(number, room, frame, at)?;
        if membership.token.is_some() != self.resumable {
            return Err("resumable or not, it was asked for the other".into());
        }
        self.world.count("joins");
        let mut slot = look(&self.slot);
        slot.membership = Some(membership);
        slot.connected = true;
        Ok(true)
    }

    fn resumed(&mut self, frame: &Value, at: std::time::Instant) -> Result<bool, String> {
        let mut slot = look(&self.slot);
        let membership = slot.membership.as_mut().ok_or("nothing to resume")?;
        membership.reconnect();
        let complete = membership.resumed(frame, at)?;
        slot.connected = true;
        self.world.count(if complete { "complete resumes" } else { "incomplete resumes" });
        Ok(true)
    }

    fn refused(&mut self, code: &str) -> Result<bool, String> {
        let mut slot = look(&self.slot);
        match (code, &slot.membership) {
            ("session_not_found", Some(membership)) if membership.may_be_forgotten(self.world.window) => {
                self.world.count("resumes that came too late");
                slot.membership = None;
                Ok(false)
            }
            ("room_full", None) => {
                self.world.count("full rooms");
                Ok(false)
            }
            _ => Err(format!("{code} was not earned")),
        }
    }

    /// What was not handled before, again; and a word that confirms the token, most of the time.
    async fn first_words(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        let kept: Vec<Value> = match &look(&self.slot).membership {
            Some(membership) if membership.token.is_some() => membership.counts.kept().cloned().collect(),
            _ => Vec::new(),
        };
        for frame in &kept {
            connection.send(frame).await?;
        }
        if self.dice.u8(..20) == 0 { Ok(()) } else { self.ping(connection).await }
    }

    pub(crate) async fn ping(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        let ping = look(&self.slot).membership.as_mut().map(Membership::ping);
        match ping {
            Some(ping) => {
                self.note(&ping);
                connection.send(&ping).await
            }
            None => Ok(()),
        }
    }

    /// A counted frame.
    pub(crate) async fn send(&mut self, connection: &mut Connection, frame: Value) -> Result<(), Gone> {
        self.note(&frame);
        if let Some(membership) = look(&self.slot).membership.as_mut().filter(|membership| membership.token.is_some()) {
            membership.counts.keep(frame.clone());
        }
        connection.send(&frame).await
    }

    /// Ends this peer's part, in one of the ways there are.
    async fn go_home(&mut self, connection: Option<Connection>) {
        let Some(mut connection) = connection else { return };
        match self.dice.u8(..8) {
            0 => drop(connection),
            1 => connection.line.end(Ending::Reset),
            2..=4 => {
                let leave = look(&self.slot).membership.as_mut().map(Membership::leave);
                if let Some(leave) = leave {
                    let _ = self.send(&mut connection, leave).await;
                }
                connection.close(1000).await;
            }
            5 => connection.close(1001).await,
            _ => connection.close(1000).await,
        }
    }

    /// Does nothing for that long, or until the phase changes.
    pub(crate) async fn rest(&mut self, time: Duration) {
        let _ = timeout_at(Instant::now() + time, self.phase.changed()).await;
    }

    /// Up to that much, evenly spread.
    pub(crate) fn some_of(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.dice.f64())
    }

    pub(crate) fn note(&mut self, frame: &Value) {
        self.recent.push_back(brief(frame));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Tells what must not be, with what came before it.
    pub(crate) fn fail(&mut self, what: &str) -> Gone {
        let recent: Vec<&str> = self.recent.iter().map(String::as_str).collect();
        let who = match &look(&self.slot).membership {
            Some(membership) => format!("join {} as {} in {}", membership.join_seq, membership.id, membership.room),
            None => "nowhere".into(),
        };
        let kind = if self.resumable { "resumable" } else { "not resumable" };
        let recent = recent.join("\n    ");
        self.world.fail(format!("peer {} ({kind}, {who}): {what}\n  before:\n    {recent}", self.index));
        Gone
    }
}
