//! What the process before has left: taken up before anybody is let in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Addr, Recipient};
use tokio::sync::mpsc;

use super::error::StartError;
use crate::{
    arbiter::Arbiters,
    auth::Grant,
    config::Settings,
    messages::{
        handover::{RestoreModeration, RestoreRoom, RestoredSeat, TellAway},
        room::{Done, RestoredOccupant},
        send_unbounded,
    },
    session,
    shutdown::{ShutdownRecord, Taken},
    store::{RecordError, RoomRecord, SessionRecord, StateDir, StateDirError, StateRecord, decode},
    supervisor::Supervisor,
    telemetry::{self, Event},
    utc::Clocks,
};

/// Seating all that is restored takes less than this. A session whose grant ends before that would end without a seat to give back;
/// its client is told that it is over, and joins anew with another token.
const SEATED_WITHIN: Duration = Duration::from_secs(10);

/// Takes the folder of what outlives the process. `None`: there is none, or it cannot be used, and a warning says so; then the
/// settings that are in force say nothing of a handover, and neither are clients told of it.
///
/// # Errors
/// Another process has it, and this one was to hand sessions over by it.
pub(super) fn open(mut settings: Settings) -> Result<(Arc<Settings>, Option<StateDir>), StartError> {
    let store = open_folder(&settings)?;
    settings.server.handover &= store.is_some();
    Ok((Arc::new(settings), store))
}

fn open_folder(settings: &Settings) -> Result<Option<StateDir>, StartError> {
    if !settings.state.has_dir() {
        return Ok(None);
    }
    let dir = &settings.state.dir;
    match StateDir::open(dir) {
        Ok(store) => Ok(Some(store)),
        Err(StateDirError::InUse) if settings.server.handover => Err(StartError::StateInUse { dir: dir.clone() }),
        Err(error) => {
            let what = format!(
                "state.dir is {}: {error}; neither sessions nor locks and bans of rooms outlive this process",
                dir.display()
            );
            telemetry::emit(&Event::ConfigWarning { what: &what });
            Ok(None)
        }
    }
}

/// The measure of the last shutdown, and the place for that of this one, if there is a folder.
pub(super) fn shutdown_record(settings: &Settings) -> (Option<ShutdownRecord>, Taken) {
    if !settings.state.has_dir() {
        return (None, Taken::default());
    }
    let (record, before) = ShutdownRecord::open(settings.state.dir.as_ref());
    (Some(record), before)
}

/// That it cannot be kept may have been told at the start, when somebody read the log.
pub(super) fn keep(record: Option<ShutdownRecord>, took: Duration, is_reported: bool) {
    if let Some(Err(error)) = record.map(|record| record.keep(took))
        && !is_reported
    {
        telemetry::emit(&Event::ShutdownRecordFailed { error: &error });
    }
}

/// Takes up what the process before has left. When this returns, every session of it can be resumed, for the window from
/// `ready` on.
pub(super) async fn restore(
    store: Option<&StateDir>,
    settings: &Settings,
    arbiters: &Arbiters,
    supervisor: &Addr<Supervisor>,
    ready: Instant,
) {
    let (began, clocks, window) = (Instant::now(), Clocks::read(), settings.limits.resume_window_ms.get());
    let Some(state) = store.and_then(|store| take(store, settings.state.max_bytes as u64, window, clocks)) else {
        return;
    };
    let (sessions, rooms, moderated) = (state.sessions(), state.rooms.len(), state.moderated.len());
    let age = Duration::from_millis(clocks.now_ms.saturating_sub(state.saved_ms));
    let moderation = RestoreModeration { clocks, moderated: state.moderated };
    // A supervisor that is gone is the end of the process.
    let _ = send_unbounded(&supervisor.clone().recipient(), moderation);
    let (done, mut all_done) = mpsc::channel(1);
    let until = ready + window;
    for room in state.rooms {
        let Some((_, arbiter)) = arbiters.place(&room.name) else { continue };
        let (supervisor, done) = (supervisor.clone().recipient(), done.clone());
        arbiter.spawn_fn(move || {
            actix_rt::spawn(restore_room(room, supervisor, clocks, until, done));
        });
    }
    drop(done);
    let _ = all_done.recv().await;
    telemetry::emit(&Event::StateRestored { sessions, rooms, moderated, age, took: began.elapsed() });
    if sessions > 0 {
        actix_rt::spawn(tell_away(supervisor.clone().recipient(), ready + window / 2));
    }
}

/// What is there and can be used. It is gone from the folder then, whatever comes of it.
fn take(store: &StateDir, max_bytes: u64, window: Duration, clocks: Clocks) -> Option<StateRecord> {
    let read = store.take(max_bytes).and_then(|found| found.map(|bytes| decode(&bytes)).transpose());
    let mut state = match read {
        Ok(found) => found?,
        Err(error) => {
            telemetry::emit(&Event::StateRefused { error: &error });
            return None;
        }
    };
    let age = Duration::from_millis(clocks.now_ms.saturating_sub(state.saved_ms));
    if age > window && !state.rooms.is_empty() {
        telemetry::emit(&Event::StateRefused { error: &RecordError::TooOld { age, window } });
        // Locks and bans have their own time.
        state.rooms.clear();
    }
    Some(state)
}

/// On the arbiter of the room: starts its sessions, and has the supervisor seat them.
async fn restore_room(
    room: RoomRecord,
    supervisor: Recipient<RestoreRoom>,
    clocks: Clocks,
    until: Instant,
    done: Done,
) {
    let mut seats = Vec::with_capacity(room.sessions.len());
    for record in room.sessions {
        seats.extend(restore_session(record, clocks, until).await);
    }
    if seats.is_empty() {
        return;
    }
    let (opened, until_ms) = (clocks.to_instant(room.opened_ms), clocks.to_ms(until));
    // As above.
    let _ = send_unbounded(&supervisor, RestoreRoom { name: room.name, opened, seats, until_ms, done });
}

async fn restore_session(mut record: SessionRecord, clocks: Clocks, until: Instant) -> Option<RestoredSeat> {
    let grant = match record.grant.take() {
        Some(granted) => Some(Arc::new(granted.restore(clocks)?)),
        None => None,
    };
    if grant.as_deref().is_some_and(|grant| grant.ends <= clocks.now + SEATED_WITHIN) {
        return None;
    }
    let (meta, who, join_seq, subnet) = (record.meta.clone(), record.who, record.join_seq, record.subnet);
    let is_known_away = record.is_away;
    let since = clocks.to_instant(record.since_ms);
    let user = grant.as_deref().and_then(|grant| grant.user.clone());
    let shown = grant.as_deref().and_then(Grant::shown_user).cloned();
    let member = session::restore(record, grant, until)?.await.ok()?;
    let occupant = RestoredOccupant { member, meta, who, user: shown, is_known_away };
    Some(RestoredSeat { occupant, join_seq, subnet, since, user })
}

/// Clients come back within half of the window; who has not by then is told of as away.
async fn tell_away(supervisor: Recipient<TellAway>, at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    // As above.
    let _ = send_unbounded(&supervisor, TellAway);
}
