//! What a node asks of Redis.

use super::wire::{flow_bytes, hex, letter, owner_bytes, peer_bytes, seat_bytes, signal_payload};
use crate::{
    cluster::{
        Incarnation, NodeName, Seat,
        generation::Assertion,
        lease::Proof,
        line::{self, Class},
        replica::Question,
        seats::Departure,
    },
    messages::cluster::{Flow, Sending},
    nodes::wire::Sent,
    protocol::{Meta, PeerId, RoomName, Who},
    telemetry::{Label as _, RedisOperation},
};

/// What a command asks.
#[derive(Debug)]
pub(super) enum Kind {
    /// Hears what is published in the room.
    Subscribe,
    /// ... no more.
    Unsubscribe,
    /// Seats a peer.
    Join(Box<JoinCommand>),
    /// Ends a seat.
    Leave(PeerId, Departure),
    /// A peer is away until then.
    Away(PeerId, u64),
    /// It is back.
    Back(PeerId),
    /// It has other metadata.
    Update(PeerId, Meta),
    /// Locks, or not.
    Lock(bool),
    /// Keeps a person out for so many milliseconds.
    Ban(Who, u64),
    /// Sends peers away.
    Kick(Vec<PeerId>),
    /// Sends through the log.
    Signal(Box<Sending>),
    /// What is missing.
    Check(Question),
    /// The room as it is: something in its log makes no sense.
    Fresh,
    /// Which of these rooms have come further.
    Heads(Vec<(RoomName, Question)>),
    /// Which seats are this node's.
    Mine,
    /// In which rooms that one owns seats.
    Owned(Incarnation),
    /// The room as it is settled, of that generation.
    Settled(u64),
    /// The data of that generation was forked.
    Fork(u64),
    /// After a loss of data.
    Assert(Box<Assertion>, usize),
    /// The heartbeat.
    Beat,
    /// To another node, past the log: how it stands with what its peer sends.
    Flow(NodeName, Flow),
    /// Ends the seats of who is dead; or says that they are away.
    Reap(Incarnation, Proof, bool),
}

/// A join, as the script wants it.
#[derive(Debug)]
pub(super) struct JoinCommand {
    pub(super) peer: PeerId,
    pub(super) seat: Seat,
    pub(super) replaces_present: bool,
    pub(super) peers_per_room: usize,
    pub(super) rooms: usize,
}

/// One command of the line.
#[derive(Debug)]
pub(super) struct Command {
    /// What it is about; none: the whole cluster.
    pub(super) room: Option<RoomName>,
    /// What it asks.
    pub(super) kind: Kind,
    /// Which replica it is about.
    pub(super) born: u64,
    /// Since when it waits.
    pub(super) since: u64,
}

impl line::Command for Command {
    fn class(&self) -> Class {
        match self.kind {
            Kind::Join(_)
            | Kind::Leave(..)
            | Kind::Away(..)
            | Kind::Back(_)
            | Kind::Update(..)
            | Kind::Lock(_)
            | Kind::Ban(..)
            | Kind::Kick(_)
            | Kind::Signal(_) => Class::Change,
            Kind::Mine | Kind::Owned(_) | Kind::Reap(..) | Kind::Flow(..) => Class::Question,
            Kind::Subscribe
            | Kind::Unsubscribe
            | Kind::Check(_)
            | Kind::Fresh
            | Kind::Heads(_)
            | Kind::Settled(_)
            | Kind::Fork(_)
            | Kind::Assert(..)
            | Kind::Beat => Class::Upkeep,
        }
    }

    fn bytes(&self) -> usize {
        // The frame is shared with its sender's account; what stands around it is not.
        if let Kind::Signal(signal) = &self.kind { signal.frame.as_bytes().len() + 128 } else { 0 }
    }
}

/// What goes out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// The script's arguments.
    Script(Vec<Vec<u8>>),
    /// `SUBSCRIBE` to the room's channel.
    Subscribe(RoomName),
    /// `UNSUBSCRIBE`.
    Unsubscribe(RoomName),
    /// `PUBLISH` to a node's own channel.
    Publish(NodeName, Vec<u8>),
}

/// What the script has to know of a command beside what it says.
#[derive(Debug)]
pub(super) struct Envelope<'a> {
    pub(super) me: &'a Incarnation,
    pub(super) generation: u64,
    pub(super) number: u64,
    /// Which connection of this process, and which of its changes: the script takes them in order only.
    pub(super) connection: u64,
    pub(super) sequence: u64,
    /// 12 hex digits that nobody else has: the tags of entries begin with them.
    pub(super) seed: String,
    /// Whether a join is to be answered with the room.
    pub(super) wants_room: bool,
    /// So long a reaped peer is still waited for, once it is away, in milliseconds.
    pub(super) away_ms: u64,
}

impl Command {
    /// What it is, for the counts; its label is the script's name for it.
    pub(super) fn operation(&self) -> RedisOperation {
        match self.kind {
            Kind::Subscribe => RedisOperation::Subscribe,
            Kind::Unsubscribe => RedisOperation::Unsubscribe,
            Kind::Join(_) => RedisOperation::Join,
            Kind::Leave(..) => RedisOperation::Leave,
            Kind::Away(..) => RedisOperation::Away,
            Kind::Back(_) => RedisOperation::Back,
            Kind::Update(..) => RedisOperation::Update,
            Kind::Lock(_) => RedisOperation::Lock,
            Kind::Ban(..) => RedisOperation::Ban,
            Kind::Kick(_) => RedisOperation::Kick,
            Kind::Signal(_) => RedisOperation::Signal,
            Kind::Check(_) => RedisOperation::Check,
            Kind::Fresh => RedisOperation::Fresh,
            Kind::Heads(_) => RedisOperation::Heads,
            Kind::Mine => RedisOperation::Mine,
            Kind::Owned(_) => RedisOperation::Owned,
            Kind::Settled(_) => RedisOperation::Settled,
            Kind::Fork(_) => RedisOperation::Fork,
            Kind::Assert(..) => RedisOperation::Assert,
            Kind::Beat => RedisOperation::Beat,
            Kind::Flow(..) => RedisOperation::Flow,
            Kind::Reap(..) => RedisOperation::Reap,
        }
    }

    /// As it is sent.
    pub(super) fn encode(&self, envelope: &Envelope<'_>) -> Outgoing {
        match (&self.kind, &self.room) {
            (Kind::Subscribe, Some(room)) => return Outgoing::Subscribe(room.clone()),
            (Kind::Unsubscribe, Some(room)) => return Outgoing::Unsubscribe(room.clone()),
            (Kind::Flow(node, flow), _) => return Outgoing::Publish(node.clone(), flow_bytes(flow)),
            _ => {}
        }
        let room = self.room.as_ref().map_or("", RoomName::as_str);
        let mut args = vec![
            self.operation().label().into(),
            envelope.generation.to_string().into(),
            owner_bytes(envelope.me),
            envelope.number.to_string().into(),
            envelope.connection.to_string().into(),
            envelope.sequence.to_string().into(),
            envelope.seed.clone().into_bytes(),
            room.into(),
        ];
        self.arguments(envelope, &mut args);
        Outgoing::Script(args)
    }

    fn arguments(&self, envelope: &Envelope<'_>, args: &mut Vec<Vec<u8>>) {
        let flag = |is: bool| -> Vec<u8> { if is { b"1".to_vec() } else { b"0".to_vec() } };
        match &self.kind {
            Kind::Join(join) => {
                args.push(peer_bytes(join.peer).to_vec());
                args.push(seat_bytes(&join.seat));
                args.push(join.seat.who.map(digits).unwrap_or_default());
                args.push(flag(join.replaces_present));
                args.push(join.peers_per_room.to_string().into());
                args.push(join.rooms.to_string().into());
                args.push(flag(envelope.wants_room));
            }
            Kind::Leave(peer, departure) => {
                args.extend([peer_bytes(*peer).to_vec(), letter(*departure).into()]);
            }
            Kind::Away(peer, until) => args.extend([peer_bytes(*peer).to_vec(), hex(*until).into()]),
            Kind::Back(peer) => args.push(peer_bytes(*peer).to_vec()),
            Kind::Update(peer, meta) => args.extend([peer_bytes(*peer).to_vec(), meta.as_str().into()]),
            Kind::Lock(locked) => args.push(flag(*locked)),
            Kind::Ban(who, for_ms) => args.extend([digits(*who), for_ms.to_string().into()]),
            Kind::Kick(peers) => args.extend(peers.iter().map(|peer| peer_bytes(*peer).to_vec())),
            Kind::Signal(signal) => {
                let sent = Sent { kind: signal.kind, frame: signal.frame.clone() };
                args.push(signal_payload(envelope.me, envelope.number, signal.from, &signal.to, &sent));
            }
            Kind::Check(question) => args.extend(place(question)),
            Kind::Heads(rooms) => {
                for (room, question) in rooms {
                    args.push(room.as_str().into());
                    args.extend(place(question).into_iter().take(3));
                }
            }
            Kind::Owned(owner) => args.push(owner_bytes(owner)),
            Kind::Fork(generation) => args.push(generation.to_string().into()),
            Kind::Assert(assertion, cap) => assert(assertion, *cap, args),
            Kind::Reap(dead, proof, is_final) => {
                let (kind, count) = match proof {
                    Proof::Successor => ("successor", String::new()),
                    Proof::Silent(count) => ("silent", count.map(hex).unwrap_or_default()),
                };
                args.extend([owner_bytes(dead), kind.into(), count.into(), flag(*is_final)]);
                args.push(envelope.away_ms.to_string().into());
            }
            Kind::Subscribe
            | Kind::Unsubscribe
            | Kind::Fresh
            | Kind::Flow(..)
            | Kind::Mine
            | Kind::Settled(_)
            | Kind::Beat => {}
        }
    }
}

fn digits(who: Who) -> Vec<u8> {
    let mut digits = [0; Who::TEXT_BYTES];
    who.encode(&mut digits).as_bytes().to_vec()
}

fn place(question: &Question) -> [Vec<u8>; 4] {
    let head = question.applied;
    [head.life, head.n, head.tag, question.known].map(|number| hex(number).into_bytes())
}

fn assert(said: &Assertion, cap: usize, args: &mut Vec<Vec<u8>>) {
    let many = |many: usize| many.to_string().into_bytes();
    args.extend([hex(said.best.0).into(), hex(said.best.1).into(), said.tag.map(hex).unwrap_or_default().into()]);
    args.push(hex(cap as u64).into());
    args.push(many(said.reaped.len()));
    args.extend(said.reaped.iter().map(owner_bytes));
    args.push(many(said.left.len()));
    args.extend(said.left.iter().map(|peer| peer_bytes(*peer).to_vec()));
    let (life, n) = said.rules.said();
    args.extend([if said.rules.locked { b"1".to_vec() } else { b"0".to_vec() }, hex(life).into(), hex(n).into()]);
    args.push(many(said.rules.all_bans().count()));
    for (who, until) in said.rules.all_bans() {
        args.extend([who.to_vec(), hex(until).into()]);
    }
    args.push(many(said.seats.len()));
    for (peer, seat) in &said.seats {
        args.extend([peer_bytes(*peer).to_vec(), seat_bytes(seat)]);
    }
}
