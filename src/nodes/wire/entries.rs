//! Entries of a room's log.

use bytes::Bytes;

use super::{
    reader::{Reader, WireError, bad, hex},
    seats::{owner_bytes, peer_bytes, read_owner, seat},
};
use crate::{
    cluster::{Change, Entry, Head, Incarnation, Signal, To, moderation::Moderation, seats::Departure},
    protocol::{PeerId, SignalKind, TextFrame},
};

/// One entry of a room's log, as nodes have it.
pub type LogEntry = Entry<Sent>;

/// What a signal carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What it is, for the counts.
    pub kind: SignalKind,
    /// As it is written to sockets.
    pub frame: TextFrame,
}

/// Why a peer is out, in one letter.
pub(crate) fn letter(departure: Departure) -> &'static str {
    match departure {
        Departure::Left => "l",
        Departure::Disconnected => "d",
        Departure::Timeout => "T",
        Departure::Replaced => "R",
        Departure::Draining => "s",
        Departure::Kicked => "K",
        Departure::SlowConsumer => "c",
        Departure::Error => "e",
        Departure::TokenExpired => "t",
        Departure::RoomClosed => "r",
    }
}

fn departure(letter: u8) -> Option<Departure> {
    Some(match letter {
        b'l' => Departure::Left,
        b'd' => Departure::Disconnected,
        b'T' => Departure::Timeout,
        b'R' => Departure::Replaced,
        b's' => Departure::Draining,
        b'K' => Departure::Kicked,
        b'c' => Departure::SlowConsumer,
        b'e' => Departure::Error,
        b't' => Departure::TokenExpired,
        b'r' => Departure::RoomClosed,
        _ => return None,
    })
}

const KINDS: [(u8, SignalKind); 4] =
    [(b'o', SignalKind::Offer), (b'a', SignalKind::Answer), (b'c', SignalKind::Candidate), (b'x', SignalKind::App)];

/// What the script appends for a signal, behind the entry's head.
#[must_use]
pub fn signal_payload(origin: &Incarnation, number: u64, from: PeerId, to: &[PeerId], sent: &Sent) -> Vec<u8> {
    let frame = sent.frame.as_bytes();
    let mut out = Vec::with_capacity(128 + 16 * to.len() + frame.len());
    out.extend(KINDS.iter().find(|(_, kind)| *kind == sent.kind).map(|(letter, _)| *letter));
    out.extend(owner_bytes(origin));
    out.extend(hex(number).bytes());
    out.extend(peer_bytes(from));
    out.extend(format!("{:04x}", to.len()).bytes());
    out.extend(to.iter().flat_map(|peer| peer_bytes(*peer)));
    out.extend(frame);
    out
}

fn signal(reader: &mut Reader<'_>) -> Result<Signal<Sent>, WireError> {
    let letter = reader.byte("a signal's kind")?;
    let kind = KINDS.iter().find(|(known, _)| *known == letter).ok_or(bad("a signal's kind"))?.1;
    let origin = read_owner(reader)?;
    let number = reader.number("a command's number")?;
    let sender = reader.peer()?;
    let to = (0..reader.digits(4, "a number of receivers")?).map(|_| reader.peer()).collect::<Result<_, _>>()?;
    // A copy: the room's replica may keep it for longer than the buffer that it came in.
    let frame = TextFrame::from_bytes(Bytes::copy_from_slice(reader.rest())).ok_or(bad("a signal's frame"))?;
    let data = Sent { kind, frame };
    Ok(Signal { sender, to: To::Peers(to), served: Vec::new(), seen: u64::MAX, origin, number, data })
}

/// Reads an entry.
///
/// # Errors
/// [`WireError`]
pub fn entry(bytes: &[u8]) -> Result<LogEntry, WireError> {
    let mut reader = Reader::new(bytes);
    let (life, n) = (reader.number("a room's life")?, reader.number("an entry's number")?);
    let (tag, previous) = (reader.number("an entry's tag")?, reader.number("the tag before an entry")?);
    let kind = reader.byte("an entry's kind")?;
    let change = change(kind, &mut reader)?;
    reader.end("the end of an entry")?;
    Ok(Entry { head: Head { life, n, tag }, previous, change })
}

fn change(kind: u8, reader: &mut Reader<'_>) -> Result<Change<Sent>, WireError> {
    Ok(match kind {
        b'J' => Change::Joined { peer: reader.peer()?, seat: seat(reader.rest())? },
        b'L' => {
            let peer = reader.peer()?;
            let departure = departure(reader.byte("a departure")?).ok_or(bad("a departure"))?;
            let reaped = reader.end("").is_err().then(|| read_owner(reader)).transpose()?;
            Change::Left { peer, departure, reaped }
        }
        b'A' => Change::Away { peer: reader.peer()?, until: reader.number("the end of an absence")? },
        b'B' => Change::Back { peer: reader.peer()? },
        b'U' => {
            let peer = reader.peer()?;
            let text = str::from_utf8(reader.rest()).map_err(|_| bad("meta"))?;
            Change::Updated { peer, meta: Reader::meta(text)? }
        }
        b'K' => Change::Moderated(Moderation::Lock(reader.flag("a lock")?)),
        b'N' => Change::Moderated(Moderation::Ban { who: reader.who()?, until: reader.number("the end of a ban")? }),
        b'S' => Change::Asserted,
        b'T' => Change::Settled,
        b'G' => Change::Signal(signal(reader)?),
        _ => return Err(bad("an entry's kind")),
    })
}
