//! What an entry of the log changes.

use super::{
    entry::{Change, Entry},
    seats::{News, Seat, Seats},
};

/// Changes the seats as the entry says, and what the others are told by it. An entry about a peer that is not there
/// changes nothing: it is void.
pub fn change<D>(seats: &mut Seats, entry: &Entry<D>) -> Option<News> {
    match &entry.change {
        Change::Joined { peer, seat } => {
            let number = entry.head.n;
            seats.insert(*peer, Seat { number, ..seat.clone() });
            Some(News::Joined { peer: *peer, number })
        }
        Change::Left { peer, .. } => seats.remove(peer).map(|_| News::Left { peer: *peer }),
        Change::Away { peer, until } => {
            let seat = seats.get_mut(peer)?;
            seat.until = *until;
            (!std::mem::replace(&mut seat.away, true)).then_some(News::Away { peer: *peer })
        }
        Change::Back { peer } => {
            let seat = seats.get_mut(peer)?;
            std::mem::replace(&mut seat.away, false).then_some(News::Back { peer: *peer })
        }
        Change::Updated { peer, meta } => {
            let seat = seats.get_mut(peer)?;
            seat.meta = Some(meta.clone());
            Some(News::Updated { peer: *peer })
        }
        Change::Released { peer, tell } => {
            let seat = seats.get_mut(peer)?;
            seat.owner = None;
            (*tell && !std::mem::replace(&mut seat.away, true)).then_some(News::Away { peer: *peer })
        }
        Change::Claimed { peer, owner, version } => {
            let seat = seats.get_mut(peer)?;
            (seat.owner, seat.version) = (Some(owner.clone()), *version);
            std::mem::replace(&mut seat.away, false).then_some(News::Back { peer: *peer })
        }
        Change::Moderated(_) | Change::Asserted | Change::Settled | Change::Signal(_) => None,
    }
}
