//! Seats and their owners.

use super::reader::{Reader, WireError, bad, hex, shared};
use crate::{
    cluster::{Incarnation, NodeName, Seat},
    protocol::{PeerId, Who},
};

/// A peer, as Redis has it.
pub(crate) fn peer_bytes(peer: PeerId) -> [u8; 16] {
    let (first, second) = peer.halves();
    (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
}

/// An owner: what the script compares as one text.
#[must_use]
pub fn owner_bytes(owner: &Incarnation) -> Vec<u8> {
    let node = owner.node.as_str();
    // The configuration has seen to it that 255 bytes are enough.
    format!("{}{:02x}{node}", hex(owner.number), node.len()).into_bytes()
}

/// Reads an owner.
///
/// # Errors
/// [`WireError`]
pub fn owner(bytes: &[u8]) -> Result<Incarnation, WireError> {
    let mut reader = Reader::new(bytes);
    let owner = read_owner(&mut reader)?;
    reader.end("an owner")?;
    Ok(owner)
}

pub(super) fn read_owner(reader: &mut Reader<'_>) -> Result<Incarnation, WireError> {
    let number = reader.number("an incarnation")?;
    let length = usize::try_from(reader.digits(2, "the length of a node's name")?).unwrap_or_default();
    let node = NodeName::new(reader.text(length, "a node's name")?);
    Ok(Incarnation { node, number })
}

/// A seat, as the script takes it apart.
#[must_use]
pub fn seat_bytes(seat: &Seat) -> Vec<u8> {
    let mut out = Vec::with_capacity(160);
    out.extend([u8::from(seat.resumable) + b'0', u8::from(seat.away) + b'0']);
    for number in [seat.number, seat.version, seat.until] {
        out.extend(hex(number).bytes());
    }
    let mut digits = [b'-'; Who::TEXT_BYTES];
    if let Some(who) = seat.who {
        let _ = who.encode(&mut digits);
    }
    out.extend(digits);
    match &seat.owner {
        Some(owner) => out.extend(owner_bytes(owner)),
        None => out.extend(format!("{}00", hex(0)).bytes()),
    }
    match &seat.user {
        Some(user) => out.extend(format!("{:04x}{user}", user.len()).bytes()),
        None => out.extend(*b"ffff"),
    }
    match seat.meta.as_ref().map(crate::protocol::Meta::as_str) {
        Some(meta) => out.extend(format!("{:08x}{meta}", meta.len()).bytes()),
        None => out.extend(*b"ffffffff"),
    }
    out
}

/// Reads a seat.
///
/// # Errors
/// [`WireError`]
pub fn seat(bytes: &[u8]) -> Result<Seat, WireError> {
    let mut reader = Reader::new(bytes);
    let (resumable, away) = (reader.flag("whether a seat can be resumed")?, reader.flag("whether a peer is away")?);
    let (number, version) = (reader.number("a join number")?, reader.number("a seat's version")?);
    let until = reader.number("the end of an absence")?;
    let who = match reader.take(Who::TEXT_BYTES, "who")? {
        dashes if dashes.iter().all(|b| *b == b'-') => None,
        digits => Some(super::reader::who(digits)?),
    };
    let owner = match read_owner(&mut reader)? {
        nobody if nobody.number == 0 && nobody.node.as_str().is_empty() => None,
        Incarnation { number: 0, .. } => return Err(bad("an incarnation")),
        owner => Some(owner),
    };
    let user = shared(reader.text_or_none(4, "a user")?);
    let meta = reader.text_or_none(8, "meta")?.map(Reader::meta).transpose()?;
    reader.end("a seat")?;
    Ok(Seat { owner, number, version, who, resumable, away, until, meta, user })
}
