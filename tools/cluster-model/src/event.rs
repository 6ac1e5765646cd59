//! What happens, and what travels between clients, nodes and Redis.

use std::{collections::BTreeMap, collections::BTreeSet, rc::Rc, sync::Arc};

use switchboard::{
    cluster::{
        Entry, Incarnation, News, NodeName, Seats, Signal,
        generation::Assertion,
        lease::{Lease, Proof},
        line, replica,
        replica::Snapshot,
        seats::Departure,
    },
    protocol::{PeerId, ResumeSecret, Who},
    session::resume_buffer::ResumeBuffer,
};

use crate::{history::Step, kernel::PipeId};

/// A message of a client's, by its number: later ones have higher numbers.
pub(crate) type Uid = u64;
/// An entry whose signals carry the numbers of messages.
pub(crate) type LogEntry = Arc<Entry<Uid>>;
/// A room, by its number.
pub(crate) type Room = usize;

/// From the server.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    /// `joined`
    Joined {
        /// Its own id.
        peer: PeerId,
        /// Of a resume: whether nothing is missing.
        complete: Option<bool>,
        /// Of a resume: its frames that were handled.
        ack: Option<u64>,
        /// Who is there, with whether this client is the polite one, and whether that one is away.
        peers: Option<BTreeMap<PeerId, (bool, bool)>>,
        /// What to resume with.
        secret: Option<ResumeSecret>,
    },
    /// `peer_joined`, `peer_left`, `peer_away`, `peer_back`
    News(News),
    /// `signal`
    Signal {
        /// Who sent it.
        from: PeerId,
        /// What.
        uid: Uid,
    },
    /// `error` that names a message and who it did not reach
    Error {
        /// The message.
        uid: Uid,
        /// Who it did not reach.
        peers: Vec<PeerId>,
    },
    /// `left`
    Left,
    /// `bye` with `room_closed`, or with `kicked`
    RoomClosed,
    /// `pong`
    Pong(Option<u64>),
    /// `bye`
    Bye,
    /// `error` that answers a join or a resume
    Refused(Refusal),
}

/// Why a join or a resume is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
pub(crate) enum Refusal {
    /// `unavailable`
    Unavailable,
    /// `room_full`
    Full,
    /// `room_locked`
    Locked,
    /// `banned`
    Banned,
    /// `session_not_found`
    NotFound,
}

/// From a client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClientFrame {
    /// `join`
    Join {
        /// Where.
        room: Room,
        /// Who.
        who: Who,
        /// Whether its session may be resumed.
        resumable: bool,
    },
    /// `join` with `resume`
    Resume {
        /// Where.
        room: Room,
        /// Its id.
        peer: PeerId,
        /// What proves that it is its.
        secret: ResumeSecret,
        /// Frames that it has handled.
        ack: u64,
    },
    /// `signal`; to all, if to nobody
    Signal {
        /// The message.
        uid: Uid,
        /// Who it is for.
        to: Option<PeerId>,
    },
    /// `lock` and `kick` with a ban
    Moderate(Moderate),
    /// `leave`
    Leave,
    /// `ping` with `ack`
    Ping(u64),
}

/// What a client does to its room.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moderate {
    /// Locks or opens it.
    Lock(bool),
    /// Sends a person away, and does not let it in for so many milliseconds.
    Ban(Who, u64),
}

/// What a session's mailbox is given.
#[derive(Debug, Clone)]
pub(crate) enum Post {
    /// Its join was applied.
    Enter(Arc<Seats>),
    /// The roster is this now.
    News(Option<News>, Arc<Seats>),
    /// A signal for it.
    Deliver(PeerId, Uid),
    /// Its signal was applied, by the number of the command.
    Applied(u64),
    /// That session will be released: route it by the log, and confirm to it.
    Reroute(PeerId, usize),
    /// That session does so.
    Confirmed(PeerId),
    /// Something is missing.
    Gap,
    /// Up to here, `(life, n)`, this node keeps the books.
    Mark(u64, u64),
}

/// A session's record in the store.
#[derive(Debug)]
pub(crate) struct Record {
    /// Both counts, secrets, and what was not acknowledged.
    pub(crate) buffer: ResumeBuffer,
    /// The roster that its client knows.
    pub(crate) seats: Arc<Seats>,
    /// Where in the log it was cut: `(life, n)`.
    pub(crate) mark: (u64, u64),
}

/// What a command asks of Redis.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Subscribes to a room's channel.
    Subscribe,
    /// Seats a peer.
    Join(PeerId, Who, bool),
    /// Ends a seat.
    Leave(PeerId, Departure),
    /// Its connection is gone.
    Away(PeerId),
    /// Its connection is back.
    Back(PeerId),
    /// Locks, bans; those of that `who` end.
    Moderate(Moderate),
    /// Sends through the log.
    Signal(Signal<Uid>),
    /// Puts a session into the store.
    Release(PeerId, Rc<Record>),
    /// Takes a session out of the store.
    Claim(PeerId, ResumeSecret),
    /// Asks where a session is.
    Where(PeerId),
    /// Asks its node to release it.
    Ask(Incarnation, PeerId, ResumeSecret),
    /// Compares heads.
    Check(replica::Question),
    /// Which seats are this node's.
    Mine,
    /// The room as it is settled.
    Snapshot,
    /// The data of that generation was forked.
    Fork(u64),
    /// After a loss of data.
    Assert(Box<Assertion>),
    /// The heartbeat, with the rooms that the node has a replica of.
    Beat(Vec<Room>),
    /// Ends the seats of who is dead; or says that they are away.
    Reap(Incarnation, Proof, bool),
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// A join is done, of that session.
    Joined(usize),
    /// Heads were compared, for the replica that was born as this number.
    Checked(u64),
    /// The settled room, of that generation.
    Settled(u64),
    /// Where the session of that attempt is.
    Found(usize),
    /// The record of that attempt.
    Claimed(usize),
    /// Who is alive.
    Watch,
    /// Which seats are this node's.
    Compare,
    /// A signal of that session.
    Signal(usize),
}

/// One command of a node's line.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// What it is about.
    pub(crate) room: Room,
    /// What it asks.
    pub(crate) kind: Kind,
    /// What becomes of the answer.
    pub(crate) then: Then,
}

impl line::Command for Command {
    fn class(&self) -> line::Class {
        match self.kind {
            Kind::Join(..)
            | Kind::Leave(..)
            | Kind::Away(_)
            | Kind::Back(_)
            | Kind::Moderate(_)
            | Kind::Signal(_)
            | Kind::Release(..)
            | Kind::Claim(..) => line::Class::Change,
            Kind::Where(_) | Kind::Ask(..) | Kind::Mine | Kind::Reap(..) => line::Class::Question,
            Kind::Subscribe | Kind::Check(_) | Kind::Snapshot | Kind::Fork(_) | Kind::Assert(_) | Kind::Beat(_) => {
                line::Class::Upkeep
            }
        }
    }

    fn bytes(&self) -> usize {
        if let Kind::Signal(signal) = &self.kind { size(signal.data) } else { 0 }
    }
}

/// What a message comes to in bytes: some are large.
pub(crate) fn size(uid: Uid) -> usize {
    if uid.is_multiple_of(7) { 600 } else { 40 + usize::try_from(uid % 50).unwrap_or_default() }
}

/// What Redis answers.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Not now.
    Unavailable,
    /// The data is of that generation; so many milliseconds of assertions are left.
    Generation(u64, u64),
    /// Done, or void.
    Done,
    /// The peer is in the room.
    Joined(Rc<Snapshot>),
    /// It is not.
    Refused(Refusal),
    /// A signal is the entry `(life, n)`.
    Sent(u64, u64),
    /// There is no such room.
    Gone,
    /// There is no such seat.
    Nowhere,
    /// The session is in the store.
    InStore,
    /// The session is at that node.
    At(Incarnation),
    /// The session is this node's.
    Claimed(Rc<Claimed>),
    /// What was asked of a replica.
    Check(replica::Answer<Uid>),
    /// Seats that are this node's.
    Mine(Vec<PeerId>),
    /// The room.
    Snapshot(Option<Rc<Snapshot>>),
    /// The time of assertions is over.
    Late,
    /// All leases, and the rooms of all owners.
    Beat(Rc<BTreeMap<NodeName, Lease>>, Rc<BTreeMap<Incarnation, BTreeSet<Room>>>),
}

/// A record that was claimed.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// As it was cut.
    pub(crate) record: Rc<Record>,
    /// What the log said since; none: not all of it is kept.
    pub(crate) since: Option<Vec<LogEntry>>,
    /// The room behind the claim's entry.
    pub(crate) snapshot: Rc<Snapshot>,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A step of the history.
    Act(Step),
    /// A frame reaches a client.
    ToClient(usize, Frame),
    /// A client notices that its socket is gone.
    ClientLost(usize),
    /// A client connects, if it wants to.
    Connect(usize),
    /// A client tries again on the same socket.
    Again(usize),
    /// A client has waited long enough on that socket.
    Impatient(usize),
    /// A frame reaches a node through that socket.
    FromClient(usize, ClientFrame),
    /// A node notices that a socket is gone.
    SocketLost(usize),
    /// A session's mailbox is at this.
    Mail(usize, Post),
    /// A node's own tick.
    Beat(usize),
    /// A signal may have waited too long.
    Expire(usize, u64),
    /// The resume window of a session that was parked at that number.
    WindowOver(usize, u64),
    /// An attempt asks again where its session is.
    AskAgain(usize),
    /// A release goes on.
    Mark(usize),
    /// The time of assertions of that generation should be over.
    Settle(usize, u64),
    /// The drain of a node has taken its time.
    Drained(usize),
    /// A node subscribes anew.
    Resubscribe(usize),
    /// A command that is not repeated has failed.
    GaveUp(usize, u64, Box<Command>),
    /// A node hears an entry.
    Heard(usize, Room, LogEntry),
    /// A node has an answer.
    Answered(usize, u64, Reply),
    /// A node is asked to release a session.
    Asked(usize, Room, PeerId, ResumeSecret),
    /// Redis is at this command.
    Execute(Box<Request>),
    /// Redis can be reached again.
    RedisUp,
    /// A node can reach Redis again.
    LinkUp(usize),
    /// A stopped process goes on.
    GoOn(usize),
    /// A node that died starts anew.
    Start(usize),
}

/// A command on its way.
#[derive(Debug)]
pub(crate) struct Request {
    /// The node.
    pub(crate) node: usize,
    /// Its incarnation.
    pub(crate) owner: Incarnation,
    /// The generation that it knows.
    pub(crate) generation: u64,
    /// The command's number.
    pub(crate) number: u64,
    /// The lowest number that has no answer yet.
    pub(crate) unanswered: u64,
    /// The command.
    pub(crate) command: Command,
    /// Where the answer goes.
    pub(crate) answers: PipeId,
}
