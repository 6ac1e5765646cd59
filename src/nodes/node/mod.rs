//! One node: replicas of the rooms that its sessions are in, one ordered line of commands, the lease. No runtime, no clock, no
//! socket: what is asked, answered and heard comes in, what goes out and what this process is told is taken out.
//!
//! What it decides is decided by the rules of [`cluster`](crate::cluster); `tools/cluster-model/src/node` is the same shell around
//! them, played against a naive model with every fault there is.
//!
//! | file | what |
//! |---|---|
//! | `asks.rs` | what this process asks |
//! | `answers.rs` | what Redis answers |
//! | `rooms.rs` | replicas: what is heard is applied in order |
//! | `told.rs` | ... and told to this process |
//! | `beat.rs` | the heartbeat, and what it tells of others |
//! | `recovery.rs` | connections, and losses of data |

mod answers;
mod asks;
mod beat;
mod recovery;
mod rooms;
#[cfg(test)]
mod tests;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    command::{Command, Envelope, Kind, Outgoing},
    wire::{Reply, Sent},
};
use crate::{
    cluster::{
        Incarnation, Line, Replica,
        lease::{Proof, Timing, Watch},
        line::{Class, Command as _},
        strays::Strays,
    },
    messages::cluster::{JoinTicket, Told},
    protocol::{PeerId, RoomName},
    telemetry::{Counts, RedisOperation, Resync},
};

/// While something waits for Redis, it is looked at this often whether it has waited too long, in milliseconds.
const EXPIRE_EVERY: u64 = 50;

/// What a node is told at its start.
#[derive(Debug, Clone)]
pub(super) struct NodeConfig {
    /// Heartbeats, and when a node is dead.
    pub(super) timing: Timing,
    /// So long a signal or a join waits for Redis, in milliseconds.
    pub(super) waiting_ms: u64,
    /// Bytes of signals that may wait.
    pub(super) waiting_bytes: usize,
    /// `limits.peers_per_room`, for what is settled after a loss of data.
    pub(super) peers_per_room: usize,
}

/// A session of this node, in one room.
#[derive(Debug)]
struct Own {
    /// Its join is under way.
    joining: Option<Pending>,
    /// Its connection is gone; it is waited for until then.
    away: Option<u64>,
}

/// A join that is under way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    ticket: JoinTicket,
    /// The version that its seat begins with, which no other seat of this process had: the same peer may have had one before.
    version: u64,
}

impl Own {
    fn is_inside(&self) -> bool {
        self.joining.is_none()
    }
}

/// A room that sessions of this node are in, or want to be in.
#[derive(Debug)]
struct Room {
    /// No other replica had this number.
    born: u64,
    replica: Replica<Sent>,
    own: BTreeMap<PeerId, Own>,
    /// Whether this process has been told who is there, and is told what changes.
    is_told: bool,
    /// Seats that the join whose entry comes next has taken.
    replaced: Vec<PeerId>,
}

/// How far it has come with Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is no connection.
    Away,
    /// There is one, and what was missed is being asked for.
    Catching,
    /// After a loss of data, nodes say what they have.
    Settling,
    /// All is well.
    Well,
}

/// What became of a command.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It was answered.
    Reply(Box<Reply>),
    /// The answer makes no sense.
    Malformed,
    /// The script ended with an error: it would do so again.
    Failed,
}

/// What was counted since the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Counted {
    /// Holes that were filled.
    pub(super) holes: u64,
    /// Replicas that were rebuilt because their members may have missed something.
    pub(super) resyncs: Counts<Resync>,
    /// Entries and answers that make no sense.
    pub(super) malformed: u64,
    /// Nodes that this one found dead.
    pub(super) dead: u64,
    /// Losses of data.
    pub(super) generations: u64,
}

/// One node.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own, and most go together in every way")]
pub(super) struct Node {
    config: NodeConfig,
    me: Incarnation,
    line: Line<Command>,
    generation: u64,
    settling: bool,
    /// When the time of assertions should be over.
    settle_at: Option<u64>,
    /// Rooms whose settled form is not here yet.
    unsettled: BTreeSet<RoomName>,
    /// Rooms whose heads were not compared on this connection.
    unchecked: BTreeSet<RoomName>,
    rooms: BTreeMap<RoomName, Room>,
    watch: Watch,
    strays: Strays<RoomName>,
    /// Who has been silent for too long.
    dying: BTreeMap<Incarnation, (Proof, bool)>,
    is_connected: bool,
    wants_reconnect: bool,
    is_superseded: bool,
    /// Counts the connections, and the changes that went out on this one.
    connection: u64,
    sequence: u64,
    next_beat: u64,
    next_expiry: u64,
    born: u64,
    told: VecDeque<Told>,
    counted: Counted,
}

impl Node {
    /// One that has not begun: [`Self::begin`] gives it its incarnation.
    pub(super) fn new(config: NodeConfig, me: Incarnation) -> Self {
        Self {
            line: Line::new(config.waiting_bytes),
            config,
            me,
            generation: 0,
            settling: false,
            settle_at: None,
            unsettled: BTreeSet::new(),
            unchecked: BTreeSet::new(),
            rooms: BTreeMap::new(),
            watch: Watch::default(),
            strays: Strays::default(),
            dying: BTreeMap::new(),
            is_connected: false,
            wants_reconnect: false,
            is_superseded: false,
            connection: 0,
            sequence: 0,
            next_beat: 0,
            next_expiry: 0,
            born: 0,
            told: VecDeque::new(),
            counted: Counted { holes: 0, resyncs: Counts::new(), malformed: 0, dead: 0, generations: 0 },
        }
    }

    /// Redis has given this process its incarnation.
    pub(super) fn begin(&mut self, number: u64) {
        self.me.number = number;
    }

    /// Whether it has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.me.number > 0
    }

    pub(super) fn standing(&self) -> Standing {
        match () {
            () if !self.is_connected => Standing::Away,
            () if self.settling => Standing::Settling,
            () if self.unchecked.is_empty() && self.generation > 0 => Standing::Well,
            () => Standing::Catching,
        }
    }

    /// `server.node`
    pub(super) fn name(&self) -> &str {
        self.me.node.as_str()
    }

    /// Whether another process has this node's name, and began later.
    pub(super) fn is_superseded(&self) -> bool {
        self.is_superseded
    }

    /// Rooms that it has a replica of, and commands that have no answer.
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.rooms.len(), self.line.len(), self.line.bytes())
    }

    pub(super) fn counted(&self) -> Counted {
        self.counted
    }

    /// What this process is told, in this order.
    pub(super) fn take_told(&mut self) -> VecDeque<Told> {
        std::mem::take(&mut self.told)
    }

    /// Whether the connection is to be given up for another one.
    pub(super) fn takes_reconnect(&mut self) -> bool {
        std::mem::take(&mut self.wants_reconnect)
    }

    /// What goes out now, with the number of each command.
    pub(super) fn take_out(&mut self) -> Vec<(u64, RedisOperation, Outgoing)> {
        if !self.is_connected || self.wants_reconnect || !self.has_begun() {
            return Vec::new();
        }
        let held = self.settling || !self.unchecked.is_empty();
        let Self { line, rooms, sequence, .. } = self;
        let mut out = Vec::new();
        for (number, command) in line.to_send(held) {
            if command.class() == Class::Change {
                *sequence += 1;
            }
            let wants_room =
                command.room.as_ref().and_then(|room| rooms.get(room)).is_some_and(|room| !room.replica.is_ready());
            let envelope = Envelope {
                me: &self.me,
                generation: self.generation,
                number,
                connection: self.connection,
                sequence: *sequence,
                seed: seed(),
                wants_room,
                away_ms: self.config.timing.dead_after - self.config.timing.away_after,
            };
            out.push((number, command.operation(), command.encode(&envelope)));
        }
        out
    }

    /// Puts a command into the line; its number. None: it is not in the line.
    fn command(&mut self, room: Option<&RoomName>, kind: Kind, now: u64) -> Option<u64> {
        let born = room.and_then(|room| self.rooms.get(room)).map_or(0, |room| room.born);
        let command = Command { room: room.cloned(), kind, born, since: now };
        if command.class() != Class::Change && !self.is_connected {
            return None;
        }
        self.line.push(command).ok()
    }

    fn tell(&mut self, told: Told) {
        self.told.push_back(told);
    }

    /// When [`Self::tick`] has something to do, at the latest.
    pub(super) fn next_tick(&self) -> u64 {
        let expiry = (!self.line.is_empty()).then_some(self.next_expiry);
        [self.settle_at, expiry].into_iter().flatten().fold(self.next_beat, u64::min)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: u64) {
        if now >= self.next_expiry {
            self.next_expiry = now + EXPIRE_EVERY;
            self.expire(now);
        }
        if self.settle_at.is_some_and(|at| now >= at) {
            self.settle(now);
        }
        if now >= self.next_beat {
            self.next_beat = now + self.config.timing.beat;
            self.beat(now);
        }
    }
}

/// 48 random bits in hex digits: what Redis' scripts have of chance is the same in each run.
fn seed() -> String {
    let (_, random) = PeerId::random().halves();
    format!("{:012x}", random & 0xffff_ffff_ffff)
}
