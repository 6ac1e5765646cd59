//! A session without a socket: parked until its client comes back, or its time is up.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::{farewell, link::Link};
use crate::{
    messages::{must_arrive, room::ToRoom, supervisor::Presence},
    protocol::{ByeAction, EndReason},
    telemetry::{self, Event},
};

/// Whether the session outlives this.
///
/// A lost, silent or slow socket parks a session whose client can come back. One that is parked already is ended by its
/// deadline and by the server's end; that its mailbox was too full for somebody's letter is only a gap.
pub(super) fn may_park(link: &Link, reason: EndReason) -> bool {
    parks(link, reason) && link.ledger.borrow().as_ref().is_some_and(|ledger| ledger.may_park())
}

/// Whether this ends a socket only, where there is something to come back with.
pub(super) fn parks(link: &Link, reason: EndReason) -> bool {
    match reason {
        EndReason::Disconnected | EndReason::PingTimeout | EndReason::SlowConsumer => true,
        EndReason::ClientClosed => !link.said_goodbye(),
        _ => false,
    }
}

/// Lets the socket go and keeps the seat.
pub(super) fn park(link: &Link, reason: EndReason) {
    let Some(wire) = link.detach(reason) else { return };
    farewell::close(wire, reason, ByeAction::Resume);
    link.end_at(Some((Instant::now() + link.setup.resume_window, EndReason::ResumeExpired)));
    // The supervisor first: who is away for longest is then the one whose room heard of it first.
    tell_supervisor(link, true);
    tell_room(link, |peer| ToRoom::Away { peer, until_ms: epoch_ms(SystemTime::now() + link.setup.resume_window) });
    link.with_ids(|ids| telemetry::emit(&Event::SessionParked { ids, window: link.setup.resume_window }));
}

/// Away and back must arrive; a room that is gone has told the supervisor's sweep, and the session hears of it.
pub(super) fn tell_room(link: &Link, letter: impl FnOnce(crate::protocol::PeerId) -> ToRoom) {
    if let (Some(member), Some(place)) = (link.member.get(), link.inside.borrow().as_ref()) {
        let _ = place.port.must_arrive(letter(member.peer));
    }
}

/// The supervisor bounds how many may be away. If it is gone, so is the server.
pub(super) fn tell_supervisor(link: &Link, away: bool) {
    if let Some(member) = link.member.get() {
        let _ = must_arrive(&link.setup.ports.presence, Presence { session: member.session, away });
    }
}

/// Milliseconds since the Unix epoch, as the wire says a time.
fn epoch_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
