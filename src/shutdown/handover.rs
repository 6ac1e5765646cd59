//! The way out where the next process goes on with the sessions: see [`crate::session::handover`] for what each arbiter does, and
//! in which order.

use std::{
    collections::HashMap,
    future::Future,
    io, thread,
    time::{Duration, Instant},
};

use actix::Addr;
use actix_rt::ArbiterHandle;
use tokio::sync::{mpsc, oneshot};

use super::server::Server;
use crate::{
    lifecycle::Call,
    messages::{
        handover::{ForgetStock, SettleRooms, Stock, TakeStock},
        send_unbounded,
    },
    protocol::{RoomName, SessionId},
    session::{Budget, ReturnSpread, handover},
    store::{Encoded, Permit, RoomRecord, SessionRecord, StateDir, StateRecord, encode},
    supervisor::Supervisor,
    telemetry::{self, Event},
    utc::Clocks,
};

/// All that is on its way has arrived by then, or the sessions are not handed over: a process that is to end in two seconds cannot
/// wait longer.
const QUIET_WITHIN: Duration = Duration::from_millis(1_500);
/// A disk that has not taken the record in this time leaves the sessions where they are: they stand still meanwhile, and their clients
/// take a server that is silent for longer for one that is gone. As much as `state.max_bytes` allows (256 MiB) needs 85 MB/s.
const WRITTEN_WITHIN: Duration = Duration::from_secs(3);
/// Whatever a client has asked for last has arrived after so many rounds by way of sessions, supervisor and rooms. The longest way
/// is that of a client that comes back: its session, the supervisor, the session that it resumes and back, that one with the
/// socket, the room, and the others.
const ROUNDS: usize = 5;
/// Room that is left in the budget for locks and bans.
const MODERATION: u64 = 1 << 20;

/// How a handover ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The next process has the sessions.
    Done,
    /// They go on here, and are drained as others are. Why is told.
    Failed,
    /// The drain was taken back.
    Withdrawn,
}

/// Hands the sessions over that can be resumed, and closes all connections.
pub(super) async fn hand_over(server: &Server<'_>, store: &StateDir, call: &Call) -> Outcome {
    let began = Instant::now();
    let spread = ReturnSpread::new(server.lifecycle.connections(), server.plan.drain, server.plan.window);
    let quiet = tokio::time::timeout(QUIET_WITHIN, record(server, call, &spread)).await;
    let state = match quiet {
        Ok(Some(state)) => state,
        Ok(None) => {
            on_each(server.arbiters, handover::thaw).await;
            return Outcome::Withdrawn;
        }
        Err(_) => return give_up(server, &io::Error::other("a thread did not answer in time")).await,
    };
    match keep(store, state, server.plan.max_bytes, began).await {
        Ok(()) => {
            on_each(server.arbiters, move || handover::commit(&spread)).await;
            Outcome::Done
        }
        Err(error) => give_up(server, &error).await,
    }
}

/// Leaves what is locked and banned for the next process, where no session goes there.
pub(super) async fn keep_moderation(supervisor: &Addr<Supervisor>, store: &StateDir, max_bytes: u64) {
    let clocks = Clocks::read();
    let moderated = stock(supervisor, clocks).await.map(|stock| stock.moderated).unwrap_or_default();
    if moderated.is_empty() {
        return;
    }
    let state = StateRecord { saved_ms: clocks.now_ms, rooms: Vec::new(), moderated };
    if let Err(error) = keep(store, state, max_bytes, Instant::now()).await {
        telemetry::emit(&Event::StateNotStored { error: &error });
    }
}

async fn give_up(server: &Server<'_>, error: &io::Error) -> Outcome {
    telemetry::emit(&Event::StateNotStored { error });
    let _ = send_unbounded(&server.supervisor.clone().recipient(), ForgetStock);
    // One that hangs does so when it is asked this, too, and is not waited for.
    let _ = tokio::time::timeout(QUIET_WITHIN, on_each(server.arbiters, handover::thaw)).await;
    Outcome::Failed
}

/// The record of all that goes on; from then on it stands still. `None`: the drain was taken back.
async fn record(server: &Server<'_>, call: &Call, spread: &ReturnSpread) -> Option<StateRecord> {
    let Server { arbiters, supervisor, .. } = *server;
    on_each(arbiters, handover::stop_reading).await;
    for _ in 0..ROUNDS {
        wait_on_each(arbiters, handover::settle).await;
        settle_rooms(supervisor).await;
    }
    if !server.lifecycle.begin_closing(call.number) {
        return None;
    }
    let budget = Budget::new(server.plan.max_bytes.saturating_sub(MODERATION));
    let spread = spread.clone();
    let end_others = move || {
        let (spread, budget) = (spread.clone(), budget.clone());
        async move { handover::end_others(&spread, &budget).await }
    };
    wait_on_each(arbiters, end_others).await;
    // What they leave behind: first the supervisor, then the rooms, then those who go on.
    settle_rooms(supervisor).await;
    wait_on_each(arbiters, handover::settle).await;
    let clocks = Clocks::read();
    let cut = on_each(arbiters, move || handover::cut(clocks)).await;
    let stock = stock(supervisor, clocks).await?;
    Some(assemble(cut.into_iter().flatten(), stock, clocks))
}

/// Sessions and seats put together. A session without a seat has none to come back to, and a seat without a session is over.
fn assemble(
    sessions: impl Iterator<Item = (RoomName, SessionRecord)>,
    Stock { rooms, moderated }: Stock,
    clocks: Clocks,
) -> StateRecord {
    let mut sessions: HashMap<(RoomName, SessionId), SessionRecord> =
        sessions.map(|(room, record)| ((room, record.session), record)).collect();
    let rooms = rooms.into_iter().filter_map(|room| {
        let seats = room.seats.into_iter().filter_map(|seat| {
            let record = sessions.remove(&(room.name.clone(), seat.session))?;
            Some(SessionRecord { subnet: seat.subnet, since_ms: clocks.to_ms(seat.since), ..record })
        });
        let sessions: Vec<_> = seats.collect();
        let opened_ms = clocks.to_ms(room.opened);
        (!sessions.is_empty()).then_some(RoomRecord { name: room.name, opened_ms, sessions })
    });
    StateRecord { saved_ms: clocks.now_ms, rooms: rooms.collect(), moderated }
}

/// Writes it, and waits for that, but not for ever: a disk that stalls leaves nothing, then or later.
async fn keep(store: &StateDir, state: StateRecord, max_bytes: u64, began: Instant) -> io::Result<()> {
    let (sessions, rooms, moderated) = (state.sessions(), state.rooms.len(), state.moderated.len());
    let encoded = actix_rt::task::spawn_blocking(move || encode(&state)).await.map_err(io::Error::other)?;
    let bytes = encoded.len();
    if bytes as u64 > max_bytes {
        return Err(io::Error::other("it would have more bytes than state.max_bytes"));
    }
    write(store, encoded).await?;
    telemetry::emit(&Event::StateStored { sessions, rooms, moderated, bytes, took: began.elapsed() });
    Ok(())
}

/// A thread of its own, and none of the runtime's: the end of the process would wait for one of those.
async fn write(store: &StateDir, encoded: Encoded) -> io::Result<()> {
    let (permit, (answer, mut answered)) = (Permit::default(), oneshot::channel());
    let (store, writers) = (store.clone(), permit.clone());
    let run = move || {
        // Whoever waited may have given up.
        let _ = answer.send(store.keep(&encoded, &writers));
    };
    thread::Builder::new().name("state".into()).spawn(run)?;
    let gone = |_| io::Error::other("the thread that writes it has ended");
    match tokio::time::timeout(WRITTEN_WITHIN, &mut answered).await {
        Ok(written) => written.map_err(gone)?,
        Err(_) if permit.withdraw() => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the disk has not taken it in time"))
        }
        // All of it is written, and its file is being put in its place. Should the disk stall there, it counts as there: sessions
        // that went on here and there would tell their clients things twice.
        Err(_) => {
            tokio::time::timeout(WRITTEN_WITHIN, answered).await.map_or(Ok(()), |written| written.map_err(gone)?)
        }
    }
}

/// Waits until the supervisor has handled all that was sent to it, and every room has posted what follows from that.
async fn settle_rooms(supervisor: &Addr<Supervisor>) {
    let (done, mut all_done) = mpsc::channel(1);
    // One that is gone has dropped it.
    let _ = send_unbounded(&supervisor.clone().recipient(), SettleRooms { done });
    let _ = all_done.recv().await;
}

async fn stock(supervisor: &Addr<Supervisor>, clocks: Clocks) -> Option<Stock> {
    let (answer, answered) = oneshot::channel();
    let _ = send_unbounded(&supervisor.clone().recipient(), TakeStock { clocks, answer });
    answered.await.ok()
}

/// Runs that on every arbiter. What they answer; one that has ended answers nothing, and its sessions have ended with it.
async fn on_each<T: Send + 'static>(
    arbiters: &[ArbiterHandle],
    run: impl Fn() -> T + Clone + Send + 'static,
) -> Vec<T> {
    let answers = arbiters.iter().map(|arbiter| {
        let ((answer, answered), run) = (oneshot::channel(), run.clone());
        arbiter.spawn_fn(move || drop(answer.send(run())));
        answered
    });
    let answers: Vec<_> = answers.collect();
    futures_util::future::join_all(answers).await.into_iter().filter_map(Result::ok).collect()
}

/// Runs that on every arbiter, and waits for it.
async fn wait_on_each<F: Future<Output = ()> + 'static>(
    arbiters: &[ArbiterHandle],
    run: impl Fn() -> F + Clone + Send + 'static,
) {
    let answers = arbiters.iter().map(|arbiter| {
        let ((answer, answered), run) = (oneshot::channel(), run.clone());
        arbiter.spawn_fn(move || {
            actix_rt::spawn(async move {
                run().await;
                let _ = answer.send(());
            });
        });
        answered
    });
    let answers: Vec<oneshot::Receiver<()>> = answers.collect();
    futures_util::future::join_all(answers).await;
}
