//! The receivers of a `signal`.

use serde_json::value::RawValue;

use super::{
    FieldError,
    fields::{Field, text},
    list::items,
};
use crate::protocol::ids::PeerId;

/// Longest name of a peer, in bytes. Ours have 32; a longer one would only be sent back in `peers` of an `error`.
const PEER_NAME_BYTES: usize = 64;

/// The receivers of a `signal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// One peer.
    Peer(PeerId),
    /// Some peers, each of them once, in the client's order.
    Peers {
        /// Those whose names could be names of ours.
        known: Vec<PeerId>,
        /// Texts that are no id in our canonical form, so that nobody has such a name: for `peers` of the
        /// `peer_not_found` that answers them. A single name that is no id comes as a list of this one.
        unknown: Vec<Box<str>>,
    },
    /// All others in the room.
    Everyone,
}

/// Reads `to`: a peer id, a list of 1 to `limit` of them, or `"*"`.
pub(super) fn address(raw: &str, limit: usize) -> Result<To, FieldError> {
    match text(raw) {
        Some(word) if word == "*" => Ok(To::Everyone),
        Some(name) => match PeerId::parse(&name) {
            Some(peer) => Ok(To::Peer(peer)),
            None => Ok(To::Peers { known: Vec::new(), unknown: vec![checked(&name)?] }),
        },
        None if raw.starts_with('[') => list(raw, limit),
        None => Err(FieldError::field(Field::To, "must be a peer id, a list of them, or \"*\"")),
    }
}

fn list(raw: &str, limit: usize) -> Result<To, FieldError> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for name in names(raw, limit)? {
        let name =
            text(name.get()).ok_or_else(|| FieldError::field(Field::To, "must list peer ids, which are strings"))?;
        match PeerId::parse(&name) {
            Some(peer) => push_once(&mut known, peer),
            None => push_once(&mut unknown, checked(&name)?),
        }
    }
    Ok(To::Peers { known, unknown })
}

/// A room is small, and the list is no longer than `limits.recipients`: cheaper than hashing.
fn push_once<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

fn checked(name: &str) -> Result<Box<str>, FieldError> {
    let short = name.len() <= PEER_NAME_BYTES;
    if short { Ok(name.into()) } else { Err(FieldError::field(Field::To, "names a peer with more than 64 bytes")) }
}

fn names(raw: &str, limit: usize) -> Result<Vec<&RawValue>, FieldError> {
    let names =
        items(raw, limit).ok_or_else(|| FieldError::field(Field::To, format!("lists more than {limit} peers")))?;
    if names.is_empty() { Err(FieldError::field(Field::To, "lists nobody")) } else { Ok(names) }
}
