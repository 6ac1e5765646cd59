//! The records as bytes, and back.
//!
//! ```text
//! magic (16 bytes) | version (4) | length of the records (8) | length of the frames (8) | SHA-256 of all else (32) | records | frames
//! ```
//!
//! Numbers are big-endian. The records are JSON; the frames, which are bytes of the WebSocket, stand behind them one after the
//! other, with their lengths in the JSON. JSON and not a binary form: its reader is in the program anyway and is proven against
//! hostile input, and of a record with frames it is the smaller part.

use std::{
    collections::HashSet,
    io::{self, Write},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{BufferRecord, CountsRecord, SessionRecord, StateRecord};
use crate::protocol::TextFrame;

/// What the file begins with.
const MAGIC: &[u8; 16] = b"switchboard-sto\n";
/// The version of the records that this program writes, and the only one that it reads: a record of another one is refused,
/// since half of a session is none.
pub const VERSION: u32 = 1;
/// Magic, version, both lengths, checksum.
const HEAD: usize = 16 + 4 + 8 + 8 + 32;
/// Where the checksum stands.
const CHECKSUM: std::ops::Range<usize> = 36..68;

/// Why what was found is not taken up.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// It cannot be read, or not be removed, and then it would be used again.
    #[error("the record cannot be read and removed: {0}")]
    Unreadable(#[from] io::Error),
    /// Another program's file.
    #[error("the record is no file of this program's")]
    NotOurs,
    /// A link, a folder, a file of somebody else's, or one that others may read or write.
    #[error("the record is {0}, and only a file is taken up that this user alone can have written and read")]
    NotPrivate(&'static str),
    /// It was written by another version of the program.
    #[error("the record has version {found}, and this program reads version {VERSION} only")]
    Version {
        /// Which it has.
        found: u32,
    },
    /// More than may be.
    #[error("the record has {found} bytes, more than state.max_bytes ({most})")]
    TooLarge {
        /// Its bytes.
        found: u64,
        /// `state.max_bytes`.
        most: u64,
    },
    /// Something is missing, or there is more than there should be.
    #[error("the record has {found} bytes and should have {expected}")]
    Length {
        /// Its bytes.
        found: u64,
        /// What it says itself.
        expected: u64,
    },
    /// Some byte is not what it was.
    #[error("the record is damaged: its checksum does not match")]
    Damaged,
    /// It is whole and means nothing.
    #[error("the record makes no sense: {0}")]
    Senseless(String),
    /// Its sessions are over.
    #[error("the record is {age:?} old, and sessions are kept for {window:?} (limits.resume_window_ms)")]
    TooOld {
        /// Since it was written.
        age: Duration,
        /// `limits.resume_window_ms`.
        window: Duration,
    },
}

/// What stands before the frames.
#[derive(Serialize)]
struct Sheet<'a> {
    state: &'a StateRecord,
    /// The lengths of each session's frames, in the order of the sessions.
    frames: Vec<Vec<usize>>,
}

/// The same, read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadSheet {
    state: StateRecord,
    frames: Vec<Vec<usize>>,
}

/// A state that is ready to be written. The frames are shared with it and not copied.
#[derive(Debug)]
pub struct Encoded {
    head: Vec<u8>,
    sheet: Vec<u8>,
    frames: Vec<Bytes>,
}

impl Encoded {
    /// Its bytes in all.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it has a head at least")]
    pub fn len(&self) -> usize {
        self.head.len() + self.sheet.len() + self.frames.iter().map(Bytes::len).sum::<usize>()
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.head)?;
        to.write_all(&self.sheet)?;
        self.frames.iter().try_for_each(|frame| to.write_all(frame))
    }
}

/// The whole as bytes.
///
/// # Panics
/// Never: all of it can be written as JSON.
#[must_use]
pub fn encode(state: &StateRecord) -> Encoded {
    let buffers = || sessions(state).map(|session| &session.buffer.frames);
    let lengths = buffers().map(|frames| frames.iter().map(Bytes::len).collect()).collect();
    let sheet = serde_json::to_vec(&Sheet { state, frames: lengths }).expect("texts and numbers are JSON");
    let frames: Vec<Bytes> = buffers().flatten().cloned().collect();
    let frame_bytes: usize = frames.iter().map(Bytes::len).sum();
    let mut head = Vec::with_capacity(HEAD);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_be_bytes());
    head.extend_from_slice(&(sheet.len() as u64).to_be_bytes());
    head.extend_from_slice(&(frame_bytes as u64).to_be_bytes());
    let mut sum = Sha256::new_with_prefix(&head);
    sum.update(&sheet);
    for frame in &frames {
        sum.update(frame);
    }
    head.extend_from_slice(&sum.finalize());
    Encoded { head, sheet, frames }
}

/// Reads what [`encode`] has written: all of it, or nothing.
///
/// # Errors
/// [`RecordError`] says what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<StateRecord, RecordError> {
    if bytes.get(..MAGIC.len()) != Some(MAGIC) {
        return Err(RecordError::NotOurs);
    }
    let short = RecordError::Length { found: bytes.len() as u64, expected: HEAD as u64 };
    let Some(found) = number::<4>(bytes, 16).map(u32::from_be_bytes) else { return Err(short) };
    if found != VERSION {
        return Err(RecordError::Version { found });
    }
    let lengths = (number(bytes, 20), number(bytes, 28));
    let (Some(sheet), Some(frames), true) = (lengths.0, lengths.1, bytes.len() >= HEAD) else { return Err(short) };
    let (sheet, frames) = (u64::from_be_bytes(sheet), u64::from_be_bytes(frames));
    let (found, expected) = (bytes.len() as u64, (HEAD as u64).saturating_add(sheet).saturating_add(frames));
    if found != expected {
        return Err(RecordError::Length { found, expected });
    }
    let mut sum = Sha256::new_with_prefix(&bytes[..CHECKSUM.start]);
    sum.update(&bytes[HEAD..]);
    if sum.finalize()[..] != bytes[CHECKSUM] {
        return Err(RecordError::Damaged);
    }
    // Both are at most the length of what is there.
    let (sheet, frames) = bytes[HEAD..].split_at(usize::try_from(sheet).unwrap_or(usize::MAX));
    let ReadSheet { mut state, frames: lengths } =
        serde_json::from_slice(sheet).map_err(|error| RecordError::Senseless(error.to_string()))?;
    deal(&mut state, &lengths, frames).map_err(|what| RecordError::Senseless(what.to_owned()))?;
    Ok(state)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Gives each session its frames, and checks what they must all be.
fn deal(state: &mut StateRecord, lengths: &[Vec<usize>], mut frames: &[u8]) -> Result<(), &'static str> {
    if lengths.len() != state.sessions() {
        return Err("there are frames of other sessions than there are");
    }
    let (mut names, mut rooms) = (HashSet::new(), HashSet::new());
    let mut lengths = lengths.iter();
    for room in &mut state.rooms {
        if room.sessions.is_empty() || !rooms.insert(room.name.clone()) {
            return Err("a room is there twice, or empty");
        }
        for session in &mut room.sessions {
            if !names.insert(session.session) {
                return Err("a session is there twice");
            }
            for length in lengths.next().into_iter().flatten() {
                let Some((frame, rest)) = frames.split_at_checked(*length) else {
                    return Err("there are fewer frames than there should be");
                };
                if !TextFrame::is_one(frame) {
                    return Err("a frame is none");
                }
                // A copy: each would else keep the whole file in memory.
                session.buffer.frames.push(Bytes::copy_from_slice(frame));
                frames = rest;
            }
            check(&session.buffer)?;
        }
    }
    if frames.is_empty() { Ok(()) } else { Err("there are more frames than there should be") }
}

/// Of what was sent, the latest that is not acknowledged may be kept.
fn check(buffer: &BufferRecord) -> Result<(), &'static str> {
    let sound = |counts: &CountsRecord| counts.acked <= counts.sent;
    let frozen = buffer.former.and_then(|former| former.frozen);
    let fits = sound(&buffer.counts) && buffer.frames.len() as u64 <= buffer.counts.sent - buffer.counts.acked;
    if fits && frozen.as_ref().is_none_or(sound) {
        Ok(())
    } else {
        Err("the counts of a session contradict each other")
    }
}

fn sessions(state: &StateRecord) -> impl Iterator<Item = &SessionRecord> {
    state.rooms.iter().flat_map(|room| &room.sessions)
}
