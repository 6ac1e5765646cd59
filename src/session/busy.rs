//! What becomes of a signal that waits for receivers with no room for it, and of its sender meanwhile: it is read no further,
//! until all have it, or the time is over. Every way out is here, so nobody waits for ever.

use std::time::{Duration, Instant};

use super::{
    held_signal::{HeldSignal, Lost},
    shared::SessionShared,
};
use crate::{
    messages::session::Snapshot,
    protocol::{
        ErrorCode, PeerId, error_texts,
        server::{ErrorFrame, ServerFrame},
    },
    recorder::fact::What,
    telemetry::{self, Event, RelayOutcome},
};

/// Keeps a signal, and has its sender read no further.
pub(super) fn hold(shared: &SessionShared, held: Box<HeldSignal>) {
    telemetry::tally(|t| t.busy_pauses += 1);
    shared.held.set(Some(held));
    shared.busy.set(true);
}

/// Bytes of the signal that waits, if one does.
pub(super) fn held_bytes(shared: &SessionShared) -> u64 {
    if !shared.busy.get() {
        return 0;
    }
    let held = shared.held.take();
    let bytes = held.as_ref().map_or(0, |held| held.bytes());
    shared.held.set(held);
    bytes as u64
}

/// A receiver has room.
pub(super) fn retry(shared: &SessionShared) {
    // Who has given up waiting hears that there is room all the same.
    let Some(mut held) = shared.held.take() else { return };
    post(shared, &mut held);
    put_back(shared, held);
}

/// The timer of a wait is over: how long the present one still may last, if there is one.
pub(super) fn expire(shared: &SessionShared, now: Instant) -> Option<Duration> {
    let mut held = shared.held.take()?;
    let left = held.until.saturating_duration_since(now);
    if !left.is_zero() {
        shared.held.set(Some(held));
        return Some(left);
    }
    // A timer may be late, and the news that there is room on its way.
    post(shared, &mut held);
    let busy = held.give_up();
    note(shared, &held, &busy, RelayOutcome::Busy);
    refuse(shared, held.re.as_deref(), &busy);
    put_back(shared, held);
    None
}

/// Peers have left the room.
pub(super) fn forget_gone(shared: &SessionShared, room: &Snapshot) {
    let Some(mut held) = shared.held.take() else { return };
    let missing = held.give_up_missing(room);
    note(shared, &held, &missing, RelayOutcome::ReceiverGone);
    not_found(shared, &held, &missing);
    put_back(shared, held);
}

/// The sender is in no room any more, and so nobody of it is there.
pub(super) fn give_up(shared: &SessionShared) {
    let Some(mut held) = shared.held.take() else { return };
    let missing = held.give_up();
    note(shared, &held, &missing, RelayOutcome::ReceiverGone);
    not_found(shared, &held, &missing);
    put_back(shared, held);
}

/// The sender's session is being ended, and can still send: who has room by now gets it, and the client hears of the others
/// before its last words.
pub(super) fn end(shared: &SessionShared) {
    let Some(mut held) = shared.held.take() else { return };
    post(shared, &mut held);
    let busy = held.give_up();
    note(shared, &held, &busy, RelayOutcome::Busy);
    refuse(shared, held.re.as_deref(), &busy);
    shared.busy.set(false);
}

/// The sender's session is over without that: there is nobody to tell.
pub(super) fn abandon(shared: &SessionShared) {
    if let Some(mut held) = shared.held.take() {
        let busy = held.give_up();
        note(shared, &held, &busy, RelayOutcome::Busy);
        count(&busy);
    }
}

/// Tells the client who did not get its message for want of room.
pub(super) fn refuse(shared: &SessionShared, re: Option<&str>, peers: &[PeerId]) {
    count(peers);
    let retry_after_ms = Some(shared.setup.busy_pause.0);
    let error = ErrorFrame::new(ErrorCode::PeerBusy, error_texts::PEER_BUSY);
    send(shared, &ErrorFrame { re, retry_after_ms, peers, ..error });
}

fn post(shared: &SessionShared, held: &mut HeldSignal) {
    let Some(me) = shared.member.get() else { return };
    let Lost { missing, busy } = held.post(me, &shared.setup.inbox, shared.recording().as_ref());
    not_found(shared, held, &missing);
    refuse(shared, held.re.as_deref(), &busy);
}

/// Records what became of it.
fn note(shared: &SessionShared, held: &HeldSignal, peers: &[PeerId], outcome: RelayOutcome) {
    for peer in peers {
        shared.note(held.fact(*peer, outcome));
    }
}

/// Goes on waiting, or reading. To have been made to wait is no silence.
fn put_back(shared: &SessionShared, held: Box<HeldSignal>) {
    if held.is_over() {
        shared.busy.set(false);
        shared.received();
        shared.kill_switch.wake();
    } else {
        shared.held.set(Some(held));
    }
}

fn not_found(shared: &SessionShared, held: &HeldSignal, peers: &[PeerId]) {
    let error = ErrorFrame::new(ErrorCode::PeerNotFound, error_texts::NO_SUCH_PEER);
    send(shared, &ErrorFrame { re: held.re.as_deref(), peers, ..error });
}

/// Where it is about anybody.
fn send(shared: &SessionShared, frame: &ErrorFrame<'_>) {
    if frame.peers.is_empty() {
        return;
    }
    shared.note(What::Error(frame.code));
    shared.with_ids(|context| {
        telemetry::emit(&Event::FrameRefused { context, code: frame.code, detail: frame.message });
    });
    shared.send(&ServerFrame::Error(*frame));
}

fn count(busy: &[PeerId]) {
    telemetry::tally(|t| t.relays.add_n(RelayOutcome::Busy, busy.len() as u64));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        config::{Milliseconds, Settings},
        messages::{
            Load, PeerChange, RoomEvent,
            session::{News, Roster, ToMember},
        },
        session::{
            gathered::{another, room},
            holdings::held,
            takeovers::{PATIENCE, Stage},
        },
    };

    /// Waits for an outbox, or a signal that waits in its place, of at least that size.
    async fn holds(bytes: u64) {
        let look = async {
            while held().outboxes < bytes {
                tokio::task::yield_now().await;
            }
        };
        let looked = tokio::time::timeout(PATIENCE, look).await;
        looked.unwrap_or_else(|_| panic!("{} bytes are held, not {bytes}", held().outboxes));
    }

    #[actix::test]
    async fn a_signal_that_waits_for_room_is_counted_among_what_is_held() {
        const LENGTH: usize = 5000;
        let mut stage = Stage::set(|settings| settings.limits.busy_pause_ms = Milliseconds(60_000));
        let (mut client, member, _) = stage.resumable().await;
        let ann = another(&member);
        let joined = PeerChange::Joined { meta: None, who: None, user: None, replaces: None };
        let (snapshot, news) = (room(&stage, &[&member, &ann]), News::Changed(RoomEvent::new(ann.peer, joined)));
        member.post(ToMember::Roster(Roster { snapshot, news }));
        assert_eq!(client.receive().await["type"], "peer_joined");
        // More waits for Ann than may.
        let full = Load::new(1, 1 << 30);
        ann.inbox.news_posted(full);
        let data = "x".repeat(LENGTH);
        client.send(&json!({"type": "signal", "to": ann.peer.to_string(), "kind": "app", "data": data})).await;
        holds(LENGTH as u64).await;
        // Then nothing does. She is reached as the sender is, so that her signal is what its client receives.
        ann.inbox.handle_news(full, || {});
        ann.inbox.flushed(Load::default(), 0, 0, &(&Settings::default()).into());
        assert_eq!(client.receive().await["data"], data);
        assert!(held().outboxes < LENGTH as u64, "{} bytes are held yet", held().outboxes);
    }
}
