//! Everything that there is in a history, and what is done with each event.

use std::collections::{BTreeMap, VecDeque};

use switchboard::{
    cluster::NodeName,
    protocol::{PeerId, ResumeSecret, ResumeToken, Who},
};

use crate::{
    client::{Client, Socket},
    event::{Event, Frame, Room},
    history::{Step, act},
    kernel::{Guard, Kernel, Planned},
    node::{Attempt, Node},
    redis::Redis,
    session::Session,
    switch::Switch,
    truth::Truth,
};

/// All of it.
#[derive(Debug)]
pub struct World {
    pub(crate) kernel: Kernel,
    pub(crate) broken: Option<Switch>,
    pub(crate) redis: Redis,
    pub(crate) nodes: Vec<Node>,
    pub(crate) clients: Vec<Client>,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) frames: Vec<Frame>,
    /// What the naive model knows.
    pub truth: Truth,
    /// How often what happened.
    pub counts: BTreeMap<&'static str, u64>,
    pub(crate) rooms: usize,
    /// Whether all is written out as it happens.
    pub(crate) telling: bool,
    unique: u64,
}

/// The rooms of a cluster, its nodes and its clients.
const ROOMS: usize = 2;
const NODES: usize = 3;
const CLIENTS: usize = 6;

impl World {
    fn new(seed: u64, broken: Option<Switch>, telling: bool) -> Self {
        let mut world = Self {
            kernel: Kernel::new(seed),
            broken,
            redis: Redis::new(broken),
            nodes: Vec::new(),
            clients: Vec::new(),
            sockets: Vec::new(),
            sessions: Vec::new(),
            attempts: Vec::new(),
            frames: Vec::new(),
            truth: Truth::default(),
            counts: BTreeMap::new(),
            rooms: 1,
            telling,
            unique: 0,
        };
        for node in 0..NODES {
            // Clocks run apart by up to two percent.
            let rate = if world.kernel.rng.bool() { 1000 } else { world.kernel.rng.u64(980..=1020) };
            world.nodes.push(Node::new(NodeName::new(&format!("n{}", node + 1)), rate));
            world.begin(node);
        }
        for client in 0..CLIENTS {
            let who = Who::parse(&format!("{:032x}", client + 1)).expect("digits");
            world.clients.push(Client::new(who, client != CLIENTS - 1));
        }
        // Every fourth history is one of a single room.
        world.rooms = if seed.is_multiple_of(4) { ROOMS } else { 1 };
        world
    }

    pub(crate) fn keeps(&self, rule: Switch) -> bool {
        self.broken != Some(rule)
    }

    pub(crate) fn unique(&mut self) -> u64 {
        self.unique += 1;
        self.unique
    }

    pub(crate) fn new_peer(&mut self) -> PeerId {
        PeerId::parse(&format!("{:032x}", self.unique())).expect("digits")
    }

    pub(crate) fn new_secret(&mut self) -> ResumeSecret {
        let token = format!("{:032x}.{:032x}", 0, self.unique());
        ResumeToken::parse(&token).expect("digits").secret
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.telling {
            println!("{:6} {}", self.kernel.now, shorten(&what()));
        }
    }

    pub(crate) fn fail(&mut self, kind: &'static str, detail: &str) {
        self.tell(|| format!("FAIL {kind}: {detail}"));
        self.truth.fail(self.kernel.now, kind, shorten(detail));
    }

    /// For events of that node's present life.
    pub(crate) fn guard(&self, node: usize) -> Guard {
        Guard { node, life: self.nodes[node].life }
    }

    /// Plans an event of a node's own timer, which runs as its clock does.
    pub(crate) fn later(&mut self, node: usize, delay: u64, event: Event) {
        let delay = delay * 1000 / self.nodes[node].rate;
        let guard = self.guard(node);
        self.kernel.after(delay, guard, event);
    }

    /// The rooms of this history.
    pub(crate) fn all_rooms(&self) -> std::ops::Range<Room> {
        0..self.rooms
    }

    fn run_until(&mut self, end: u64) {
        while let Some(planned) = self.kernel.next(end) {
            self.happen(planned);
        }
    }

    fn happen(&mut self, planned: Planned) {
        if let Some(Guard { node, life }) = planned.guard {
            let process = &mut self.nodes[node];
            if !process.alive || process.life != life {
                return;
            }
            if process.stopped {
                process.backlog.push_back(planned);
                return;
            }
        }
        self.handle(planned.event);
    }

    /// A process that was stopped goes on with what has waited for it.
    pub(crate) fn go_on(&mut self, node: usize) {
        self.nodes[node].stopped = false;
        let mut backlog: VecDeque<Planned> = std::mem::take(&mut self.nodes[node].backlog);
        while let Some(planned) = backlog.pop_front() {
            self.happen(planned);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Act(step) => act(self, step),
            Event::ToClient(socket, frame) => self.client_hears(socket, frame),
            Event::ClientLost(socket) => self.client_lost(socket),
            Event::Connect(client) => self.client_connects(client),
            Event::Again(socket) => self.client_tries_again(socket),
            Event::Impatient(socket) => self.client_is_impatient(socket),
            Event::FromClient(socket, frame) => self.client_sent(socket, frame),
            Event::SocketLost(socket) => self.socket_lost(socket),
            Event::Mail(session, post) => self.handle_post(session, post),
            Event::Beat(node) => self.beat(node),
            Event::Expire(node, number) => self.expire(node, number),
            Event::WindowOver(session, parked) => self.window_over(session, parked),
            Event::AskAgain(attempt) => self.ask_again(attempt),
            Event::Mark(session) => self.mark(session),
            Event::Settle(node, generation) => self.settle(node, generation),
            Event::Drained(node) => self.drained(node),
            Event::Resubscribe(node) => self.resubscribe(node),
            Event::GaveUp(node, number, command) => self.give_up(node, number, &command),
            Event::Heard(node, room, entry) => self.heard(node, room, entry),
            Event::Answered(node, number, reply) => self.answered(node, number, reply),
            Event::Asked(node, room, peer, secret) => self.asked_to_release(node, room, peer, &secret),
            Event::Execute(request) => self.execute(&request),
            Event::RedisUp => self.redis.up = true,
            Event::LinkUp(node) => self.nodes[node].link = true,
            Event::GoOn(node) => self.go_on(node),
            Event::Start(node) => self.start(node),
        }
    }
}

/// Without the zeros of ids.
fn shorten(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find("PeerId(0") {
        let digits = text[at + 7..].trim_start_matches('0').len();
        let rest = text.len() - digits;
        text.replace_range(at..rest, "#");
        if let Some(end) = text[at..].find(')') {
            text.remove(at + end);
        }
    }
    text
}

/// Plays these steps with the delays of that seed, lets all come to rest, and compares.
pub fn play(steps: &[Step], seed: u64, broken: Option<Switch>, telling: bool) -> World {
    let mut world = World::new(seed, broken, telling);
    let mut at = 0;
    for step in steps {
        at += step.after();
        world.kernel.after(at, None, Event::Act(*step));
    }
    world.run_until(at + 4000);
    world.heal();
    world.run_until(at + 4000 + 22_000);
    world.check_quiet();
    world
}

impl World {
    /// Whatever was broken works again.
    fn heal(&mut self) {
        self.redis.up = true;
        for node in 0..self.nodes.len() {
            self.nodes[node].link = true;
            self.go_on(node);
            self.start(node);
        }
    }
}
