//! What the sessions of one arbiter hold, by kind: for whoever asks what memory is used for.

use super::{busy, registry::Registry, shared::SESSIONS};
use crate::{recorder, telemetry::HeldReport};

/// Looks at all sessions, which takes some 100 ns for each.
#[must_use]
pub fn held() -> HeldReport {
    let mut held = HeldReport::default();
    for session in SESSIONS.with(Registry::all) {
        let (partial_frames, outbox, socket) = session.connection.held_by_kind();
        held.partial_frames += partial_frames;
        held.tls += socket;
        held.outboxes += outbox + busy::held_bytes(&session);
        held.resume_buffers += session.resume_buffer.borrow().as_ref().map_or(0, |buffer| buffer.kept().1 as u64);
    }
    held.recordings = recorder::held();
    held
}
