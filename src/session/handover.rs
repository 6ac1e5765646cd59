//! This arbiter's part in handing the sessions over to the next process.
//!
//! What is recorded of a session must be all that it has done: a frame that was counted as handled and is still on its way to
//! somebody would be lost without a word. So, in this order, on all arbiters at once:
//!
//! 1. [`stop_reading`]: nothing new comes from clients.
//! 2. [`settle`], several times, with the supervisor and the rooms between: what is on its way arrives.
//! 3. [`end_others`]: whoever cannot be resumed leaves, and the others are told so; then [`settle`] again.
//! 4. [`cut`]: all are recorded, and from then on nothing happens to them: no sweep, no end.
//! 5. [`commit`], when the records are written: clients are told to come back, and their connections are closed. Or [`thaw`],
//!    when they could not be: the sessions go on, and the server drains as one that hands nothing over.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    time::Instant,
};

use tokio::sync::Notify;

use super::{
    busy,
    registry::Registry,
    return_spread::{Budget, ReturnSpread},
    shared::{SESSIONS, SessionShared},
};
use crate::{
    config::Milliseconds,
    messages::{Killed, Note},
    protocol::{ByeAction, EndReason, RoomName, server::ServerFrame},
    store::SessionRecord,
    utc::Clocks,
};

/// How far this arbiter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Sessions are served.
    Usual,
    /// None of them is read.
    Stopped,
    /// They are recorded.
    Frozen,
    /// Their records are written: what happens to them now concerns nobody.
    Committed,
}

thread_local! {
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Usual) };
    /// The sessions that are waited for: to have handled what there is, or to end.
    static AWAITED: RefCell<HashSet<*const SessionShared>> = RefCell::default();
    /// There is none left.
    static ALL_THERE: Rc<Notify> = Rc::default();
    /// What was about to end a session that is recorded already.
    static PUT_OFF: RefCell<Vec<(Rc<SessionShared>, Killed)>> = const { RefCell::new(Vec::new()) };
}

/// Whether sessions of this arbiter are being handed over: one that begins now has come too late.
pub(super) fn has_begun() -> bool {
    STAGE.get() != Stage::Usual
}

/// Whether they stand as they are recorded.
pub(super) fn is_frozen() -> bool {
    STAGE.get() == Stage::Frozen
}

/// Whether their seats are the next process's.
pub(super) fn is_committed() -> bool {
    STAGE.get() == Stage::Committed
}

/// Reads no session of this arbiter any more.
pub fn stop_reading() {
    STAGE.set(Stage::Stopped);
    for shared in all() {
        shared.paused.stop(true);
    }
}

/// Ready when every session of this arbiter has handled what was posted to it before this was called. A signal that waits for
/// receivers with no room waits no longer: its sender is told who has not got it.
pub async fn settle() {
    let sessions = all();
    AWAITED.with_borrow_mut(|awaited| awaited.extend(sessions.iter().map(Rc::as_ptr)));
    for shared in sessions {
        busy::end(&shared);
        shared.kill_switch.leave_note(Note::Settle);
    }
    all_there().await;
}

/// The session has handled what there was, or is over. Its pump says so.
pub(super) fn settled(shared: &SessionShared) {
    let was_last = AWAITED.with_borrow_mut(|awaited| awaited.remove(&std::ptr::from_ref(shared)) && awaited.is_empty());
    if was_last {
        ALL_THERE.with(|all_there| all_there.notify_one());
    }
}

async fn all_there() {
    while AWAITED.with_borrow(|awaited| !awaited.is_empty()) {
        ALL_THERE.with(Rc::clone).notified().await;
    }
}

/// Ends the sessions of this arbiter that cannot be handed over: those that cannot be resumed, and those for which there is no
/// room in the budget. Their clients are told when to come back, anew. Ready when they have left.
pub async fn end_others(spread: &ReturnSpread, budget: &Budget) {
    let now = Instant::now();
    let others: Vec<_> =
        all().into_iter().filter(|shared| !may_go_on(shared, now) || !budget.take(estimate(shared))).collect();
    AWAITED.with_borrow_mut(|awaited| awaited.extend(others.iter().map(Rc::as_ptr)));
    for shared in others {
        say_bye(&shared, spread, ByeAction::Reconnect);
        shared.kill_switch.kill(EndReason::ServerDraining);
    }
    all_there().await;
}

/// Records the sessions of this arbiter that go on, and their rooms. Nothing happens to them until [`commit`] or [`thaw`].
pub fn cut(clocks: Clocks) -> Vec<(RoomName, SessionRecord)> {
    STAGE.set(Stage::Frozen);
    all().iter().filter(|shared| may_go_on(shared, clocks.now)).filter_map(|shared| record(shared, clocks)).collect()
}

/// The records are written: every session of this arbiter ends here, and goes on elsewhere.
pub fn commit(spread: &ReturnSpread) {
    STAGE.set(Stage::Committed);
    drop(PUT_OFF.take());
    for shared in all() {
        let is_recorded = shared.resume_buffer.borrow().is_some();
        say_bye(&shared, spread, if is_recorded { ByeAction::Resume } else { ByeAction::Reconnect });
        shared.kill_switch.kill(EndReason::ServerDraining);
    }
}

/// There will be no next process that knows them: they go on here.
pub fn thaw() {
    STAGE.set(Stage::Usual);
    for (shared, Killed { reason, lost }) in PUT_OFF.take() {
        if lost {
            shared.kill_switch.kill_for_lost_message();
        }
        shared.kill_switch.kill(reason);
    }
    for shared in all() {
        shared.paused.stop(false);
        shared.hurry();
        shared.kill_switch.wake();
    }
}

/// Something was about to end a session that is recorded.
pub(super) fn put_off(shared: &Rc<SessionShared>, killed: Killed) {
    PUT_OFF.with_borrow_mut(|put_off| put_off.push((Rc::clone(shared), killed)));
}

fn all() -> Vec<Rc<SessionShared>> {
    SESSIONS.with(Registry::all)
}

/// Whether there is something to come back to, for somebody who may.
///
/// Unlike one that is parked, its client need not have shown that it has its token: the `joined` with it is written before `bye`.
fn may_go_on(shared: &SessionShared, now: Instant) -> bool {
    let is_resumable = shared.inside.borrow().is_some() && shared.resume_buffer.borrow().is_some();
    let is_over = shared.has_lost_seat() || shared.has_goodbye() || shared.kill_switch.reason().is_some();
    is_resumable && !is_over && shared.end().is_none_or(|(at, _)| at > now)
}

fn say_bye(shared: &SessionShared, spread: &ReturnSpread, action: ByeAction) {
    if !shared.attached() || shared.member.get().is_none() {
        return;
    }
    let retry_after_ms = Milliseconds::rounded_down(spread.take()).0;
    shared.send(&ServerFrame::Bye { reason: EndReason::ServerDraining, action, retry_after_ms, message: None });
    shared.connection.note(|attachment| attachment.bye_sent = true);
}

/// No fewer bytes than its record has: texts may be twice as long in JSON, and a token is not longer than 4 KiB.
fn estimate(shared: &SessionShared) -> u64 {
    const RECORD: usize = 1 << 10;
    const FRAME: usize = 24;
    const GRANT: usize = 8 << 10;
    let buffer = shared.resume_buffer.borrow();
    let Some(buffer) = buffer.as_deref() else { return 0 };
    let (frames, bytes) = buffer.kept();
    let meta = buffer.meta.as_ref().map_or(0, |meta| 2 * meta.as_str().len());
    let grant = if shared.current_grant().is_some() { GRANT } else { 0 };
    let room = shared.inside.borrow().as_ref().map_or(0, |inside| 2 * inside.room.as_str().len());
    (RECORD + meta + grant + room + bytes + frames * FRAME) as u64
}

/// What its seat knows is the supervisor's to add.
fn record(shared: &SessionShared, clocks: Clocks) -> Option<(RoomName, SessionRecord)> {
    let (inside, buffer) = (shared.inside.borrow(), shared.resume_buffer.borrow());
    let (member, inside, buffer) = (shared.member.get()?, inside.as_ref()?, buffer.as_deref()?);
    let record = SessionRecord {
        session: member.session,
        peer: member.peer,
        join_seq: shared.join_seq.get(),
        request: member.request.to_string(),
        source: member.source.address(),
        subnet: shared.subnet.get(),
        since_ms: clocks.now_ms,
        is_away: !shared.attached(),
        who: buffer.who.as_deref().copied(),
        meta: buffer.meta.clone(),
        grant: shared.current_grant().map(|grant| grant.record(clocks)),
        buffer: buffer.to_record(),
    };
    Some((inside.room.clone(), record))
}
