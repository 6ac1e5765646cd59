//! What the script answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    entries::{Sent, entry},
    reader::{Reader, WireError, bad, number, peer, who},
    seats::{owner, seat},
};
use crate::{
    cluster::{
        Head, Incarnation, NodeName,
        lease::Lease,
        moderation::{BANS, RoomRules},
        replica::{Answer, Snapshot},
    },
    protocol::{PeerId, RoomName},
};

/// An answer before it is read: what there is in a script's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Bytes(Vec<u8>),
    /// A number.
    Int(i64),
    /// A list.
    List(Vec<Value>),
    /// Anything else: nothing of ours.
    Other,
}

/// Why a join is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinReply {
    /// `room_full`
    Full,
    /// `room_locked`
    Locked,
    /// `room_limit`
    RoomLimit,
    /// `banned`, for so many milliseconds.
    Banned(u64),
    /// `unavailable`, for so many milliseconds.
    Unavailable(u64),
}

/// Who is alive, and who owns seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatReply {
    /// The lease of each node.
    pub leases: BTreeMap<NodeName, Lease>,
    /// Who owns seats.
    pub owners: BTreeSet<Incarnation>,
}

/// What the script answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The data is of that generation; so many milliseconds of assertions are left.
    Generation(u64, u64),
    /// The data is of another format.
    Format(String),
    /// The command before it was not executed.
    Order,
    /// Done, or void.
    Done,
    /// There is no such room, or no such seat any more.
    Gone,
    /// The time of assertions is over.
    Late,
    /// The peer is in the room; the room, if that was asked for.
    Joined(Option<Box<Snapshot>>),
    /// It is not.
    Refused(JoinReply),
    /// A signal is the entry `(life, n)`.
    Sent(u64, u64),
    /// What was asked of a replica.
    Check(Answer<Sent>),
    /// Of those rooms that were asked about, these have come further or elsewhere; how far.
    Differ(Vec<(usize, Head)>),
    /// Seats that are this node's.
    Mine(Vec<PeerId>),
    /// Rooms in which an incarnation owns seats.
    Owned(Vec<RoomName>),
    /// The room as it was settled; none: there is none.
    Settled(Option<Box<Snapshot>>),
    /// This process' incarnation.
    Hello(u64),
    /// There is a later process of this node's name.
    Superseded,
    /// All leases.
    Beat(BeatReply),
}

/// Reads an answer.
///
/// # Errors
/// [`WireError`]
pub fn reply(value: &Value) -> Result<Reply, WireError> {
    let Value::List(parts) = value else { return Err(bad("an answer")) };
    let (name, parts) = parts.split_first().ok_or(bad("an answer's name"))?;
    Ok(match bytes(name, "an answer's name")? {
        b"generation" => Reply::Generation(int(part(parts, 0)?)?, int(part(parts, 1)?)?),
        b"format" => Reply::Format(String::from_utf8_lossy(bytes(part(parts, 0)?, "a format")?).into_owned()),
        b"order" => Reply::Order,
        b"done" => Reply::Done,
        b"gone" => Reply::Gone,
        b"late" => Reply::Late,
        b"joined" => Reply::Joined(parts.first().map(|room| snapshot(room).map(Box::new)).transpose()?),
        b"full" => Reply::Refused(JoinReply::Full),
        b"locked" => Reply::Refused(JoinReply::Locked),
        b"room_limit" => Reply::Refused(JoinReply::RoomLimit),
        b"banned" => Reply::Refused(JoinReply::Banned(int(part(parts, 0)?)?)),
        b"unavailable" => Reply::Refused(JoinReply::Unavailable(int(part(parts, 0)?)?)),
        b"sent" => Reply::Sent(hex(part(parts, 0)?)?, hex(part(parts, 1)?)?),
        b"since" => Reply::Check(Answer::Since(each(parts, |part| entry(bytes(part, "an entry")?).map(Arc::new))?)),
        b"other" => Reply::Check(Answer::Other(Box::new(snapshot(part(parts, 0)?)?))),
        b"forked" => Reply::Check(Answer::Forked),
        b"differ" => Reply::Differ(each(parts, place)?),
        b"mine" => Reply::Mine(each(parts, |part| peer(bytes(part, "a peer")?))?),
        b"owned" => Reply::Owned(each(parts, room)?),
        b"settled" => Reply::Settled(Some(Box::new(snapshot(part(parts, 0)?)?))),
        b"none" => Reply::Settled(None),
        b"hello" => Reply::Hello(hex(part(parts, 0)?)?),
        b"superseded" => Reply::Superseded,
        b"beat" => Reply::Beat(BeatReply {
            leases: pairs(part(parts, 0)?, lease)?.into_iter().collect(),
            owners: each(list(part(parts, 1)?)?, |part| owner(bytes(part, "an owner")?))?.into_iter().collect(),
        }),
        _ => return Err(bad("an answer's name")),
    })
}

fn snapshot(value: &Value) -> Result<Snapshot, WireError> {
    let parts = list(value)?;
    let at = |index| part(parts, index);
    let head = Head { life: hex(at(0)?)?, n: hex(at(1)?)?, tag: hex(at(2)?)? };
    if head.life == 0 {
        return Err(bad("a room's life"));
    }
    let bans = pairs(at(12)?, |who_is, until| Ok((who(who_is)?, number(until, "the end of a ban")?)))?;
    Ok(Snapshot {
        head,
        best: (hex(at(3)?)?, hex(at(4)?)?),
        parted: flag(at(5)?)?,
        reaped: each(list(at(9)?)?, |part| owner(bytes(part, "an owner")?))?.into_iter().collect(),
        done: pairs(at(10)?, |line, done| Ok((owner(line)?, number(done, "a command's number")?)))?
            .into_iter()
            .collect(),
        seats: Arc::new(pairs(at(11)?, |of, text| Ok((peer(of)?, seat(text)?)))?.into_iter().collect()),
        rules: RoomRules::new(flag(at(6)?)?, (hex(at(7)?)?, hex(at(8)?)?), bans.into_iter().take(2 * BANS)),
    })
}

fn place(value: &Value) -> Result<(usize, Head), WireError> {
    let parts = list(value)?;
    let index = usize::try_from(int(part(parts, 0)?)?).map_err(|_| bad("a place"))?;
    Ok((index, Head { life: hex(part(parts, 1)?)?, n: hex(part(parts, 2)?)?, tag: hex(part(parts, 3)?)? }))
}

fn lease(node: &[u8], text: &[u8]) -> Result<(NodeName, Lease), WireError> {
    let node = str::from_utf8(node).map_err(|_| bad("a node's name"))?;
    let mut reader = Reader::new(text);
    let lease = Lease { incarnation: reader.number("an incarnation")?, count: reader.number("a heartbeat")? };
    Ok((NodeName::new(node), lease))
}

fn room(value: &Value) -> Result<RoomName, WireError> {
    super::flows::room(bytes(value, "a room")?)
}

fn part(parts: &[Value], at: usize) -> Result<&Value, WireError> {
    parts.get(at).ok_or(bad("a part of an answer"))
}

fn list(value: &Value) -> Result<&[Value], WireError> {
    if let Value::List(parts) = value { Ok(parts) } else { Err(bad("a list")) }
}

fn bytes<'a>(value: &'a Value, what: &'static str) -> Result<&'a [u8], WireError> {
    if let Value::Bytes(bytes) = value { Ok(bytes) } else { Err(bad(what)) }
}

fn int(value: &Value) -> Result<u64, WireError> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| bad("a number")),
        _ => Err(bad("a number")),
    }
}

fn hex(value: &Value) -> Result<u64, WireError> {
    number(bytes(value, "a number")?, "a number")
}

fn flag(value: &Value) -> Result<bool, WireError> {
    match bytes(value, "a switch")? {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(bad("a switch")),
    }
}

fn each<T>(parts: &[Value], read: impl Fn(&Value) -> Result<T, WireError>) -> Result<Vec<T>, WireError> {
    parts.iter().map(read).collect()
}

fn pairs<T>(value: &Value, read: impl Fn(&[u8], &[u8]) -> Result<T, WireError>) -> Result<Vec<T>, WireError> {
    let parts = list(value)?.chunks(2);
    let pair = |pair: &[Value]| match pair {
        [key, value] => read(bytes(key, "a name")?, bytes(value, "a value")?),
        _ => Err(bad("the second of two")),
    };
    parts.map(pair).collect()
}
