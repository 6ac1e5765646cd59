//! The sweep of one arbiter's sessions: heartbeats and deadlines.
//!
//! Each sweep looks only at the sessions for which there may be something to do: the arbiter's registry holds them by the
//! time of their next look. Whatever may bring that time forward (something was received or queued, a deadline was set, a
//! socket came) has the next sweep look, and only a sweep moves it back. So a connection whose client only answers pings
//! costs two or three looks per heartbeat interval.

use std::time::Instant;

use super::{
    drain, grants, handover,
    heartbeat::{Found, HeartbeatTimes},
    open,
    registry::Registry,
    shared::{SESSIONS, SessionShared},
    turns::Turn,
};
use crate::{protocol::EndReason, telemetry, ws::PING};

/// Looks at the sessions that are due. `late`: much later than planned, so that nobody's silence means anything.
pub fn sweep(now: Instant, heartbeat: HeartbeatTimes, late: bool) {
    if handover::is_frozen() {
        return;
    }
    SESSIONS.with(|sessions| {
        for shared in sessions.take_due(now) {
            let again = look(&shared, now, heartbeat, late);
            sessions.put_back(shared, again);
        }
        debug_assert_eq!(sessions.counts(), sessions.counted_anew(), "connected, joined and parked sessions");
    });
    open::fit_intake();
}

/// How many sessions of this arbiter are connected and in no room, connected and in one, and parked.
#[must_use]
pub fn standing() -> [usize; 3] {
    SESSIONS.with(Registry::counts)
}

/// Looks at one session; when to look again.
fn look(shared: &SessionShared, now: Instant, heartbeat: HeartbeatTimes, late: bool) -> Option<Instant> {
    let found = Found {
        attached: shared.attached(),
        // Who is not read for the server's own reasons is not silent.
        received: shared.pulse.take_received() || shared.busy.get() || shared.turn.get() == Turn::Waiting,
        restless: shared.connection.is_restless(),
        deadline: shared.end(),
    };
    let verdict = shared.pulse.judge(found, now, heartbeat, late);
    if verdict.ping {
        ping(shared);
    }
    if verdict.rest || verdict.ping {
        shared.connection.rest();
    }
    match verdict.end {
        // Its time is up, and that of the drain was before.
        Some(EndReason::ServerDraining) if !drain::may_close() => shared.stays(now),
        Some(why) => shared.kill_switch.kill(why),
        None => {}
    }
    if found.attached && is_slow(shared, now, late) {
        shared.kill_switch.kill(EndReason::SlowConsumer);
    }
    // A socket that takes no more: what waits has kept its memory.
    let jammed = (verdict.rest || verdict.ping) && shared.connection.is_restless();
    let again = notify(shared, now).into_iter().chain(verdict.again).min();
    if jammed { Some(now) } else { again }
}

/// Whether so much has waited for so long that its client is ended for it. Who has a share waiting has a queue that is looked
/// at by each sweep.
fn is_slow(shared: &SessionShared, now: Instant, late: bool) -> bool {
    let setup = &shared.setup;
    shared.member.get().is_some_and(|member| member.inbox.is_slow(&setup.inbox, now, late, setup.slow))
}

/// Writes the ping at once where nothing waits before it: waking the pump for two bytes would cost more than they do.
fn ping(shared: &SessionShared) {
    telemetry::tally(|t| t.pings_sent += 1);
    shared.queue(PING);
    flush(shared);
}

fn flush(shared: &SessionShared) {
    if let Some(progress) = shared.connection.flush() {
        shared.flushed(&progress);
    }
}

/// Tells the client that its time is nearly over, if it is time. When to look again. A client that is away, or that waits to
/// be told of the whole room, is told when it is back.
fn notify(shared: &SessionShared, now: Instant) -> Option<Instant> {
    if !shared.attached() || shared.paused.get() {
        return None;
    }
    let due = {
        let lifetime = shared.lifetime.borrow();
        let in_force = lifetime.grant.as_ref()?;
        let at = in_force.notice_at()?;
        if now < at {
            return Some(at);
        }
        in_force.told()
    };
    shared.send(&grants::frame(&due, None, now));
    flush(shared);
    None
}

#[cfg(test)]
mod model;
