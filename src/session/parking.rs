//! A session without a socket: parked until its client comes back, or its time is up.

use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{closing, resume_rules, shared::SessionShared};
use crate::{
    config::Milliseconds,
    messages::{room::ToRoom, send_unbounded, supervisor::Presence},
    protocol::{ByeAction, EndReason},
    telemetry::{self, Event},
};

/// Whether the session outlives this. One whose seat was taken does not, whichever end it finds first.
pub(super) fn may_park(shared: &SessionShared, reason: EndReason) -> bool {
    !shared.has_lost_seat()
        && resume_rules::may_park(reason, shared.has_goodbye(), shared.resume_buffer.borrow().as_deref())
}

/// Lets the socket go and keeps the seat.
pub(super) fn park(shared: &SessionShared, reason: EndReason) {
    let Some(attachment) = shared.detach(reason) else { return };
    let (now, window) = (Instant::now(), shared.setup.resume_window.get());
    // Nobody comes back to a session whose grant is over.
    let window = shared.current_grant().map_or(window, |grant| window.min(grant.left(now)));
    shared.moved();
    closing::close(attachment, reason, ByeAction::Resume, None);
    shared.end_at(Some((now + window, EndReason::ResumeExpired)));
    // The supervisor first: who is away for longest is then the one whose room was notified first.
    notify_supervisor(shared, true);
    notify_room(shared, |peer| ToRoom::Away { peer, until_ms: epoch_ms(SystemTime::now() + window) });
    shared.with_ids(|context| telemetry::emit(&Event::SessionParked { context, window }));
}

/// Unbounded, as all of these are; a room that is gone has told the supervisor's sweep, and the session is notified.
pub(super) fn notify_room(shared: &SessionShared, message: impl FnOnce(crate::protocol::PeerId) -> ToRoom) {
    if let (Some(member), Some(place)) = (shared.member.get(), shared.inside.borrow().as_ref()) {
        let _ = place.port.send_unbounded(message(member.peer));
    }
}

/// The supervisor bounds how many may be away. If it is gone, so is the server.
pub(super) fn notify_supervisor(shared: &SessionShared, away: bool) {
    if let Some(member) = shared.member.get()
        && member.presence.set(away)
    {
        let _ = send_unbounded(&shared.setup.ports.presence, Presence { member: Arc::clone(member) });
    }
}

/// Milliseconds since the Unix epoch, as frames give a time.
fn epoch_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Milliseconds::rounded_down(since).0
}
