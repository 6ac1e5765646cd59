//! A session that comes out of the process before this one: without a socket, as a parked one, until its client comes back.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::ws::Codec;
use actix_web_actors::ws::WebsocketContext;
use tokio::sync::oneshot;

use super::{
    actor::{Session, SessionInit},
    inbound, open, pump,
    resume_buffer::ResumeBuffer,
    shared::{RoomHandle, SessionShared},
    state::Rules,
};
use crate::{
    auth::Grant,
    messages::session::{Member, Snapshot},
    protocol::{EndReason, Permissions},
    recorder::{self, RoomLife},
    store::SessionRecord,
    telemetry::{self, Event},
};

/// Starts the session on the calling arbiter. It waits for its client until that moment, or until its grant ends. Answers as soon
/// as others can reach it; `None`: this is no arbiter of sessions.
pub fn restore(
    record: SessionRecord,
    grant: Option<Arc<Grant>>,
    until: Instant,
) -> Option<oneshot::Receiver<Arc<Member>>> {
    let now = Instant::now();
    let shared = SessionShared::new(None, open::setup()?, record.subnet, now);
    shared.join_seq.set(record.join_seq);
    let permissions = grant.as_ref().map_or(Permissions::USUAL, |grant| grant.permissions);
    if grant.is_some() {
        shared.granted(grant, now);
    }
    shared.end_at(Some((until, EndReason::ResumeExpired)));
    let (ready, is_ready) = oneshot::channel();
    let init = SessionInit::restored(&record, ready);
    let session = Session::restored(Rc::clone(&shared), init, Rules::restored(record.join_seq, permissions));
    let buffer = ResumeBuffer::restored(record.buffer, record.meta, record.who);
    *shared.resume_buffer.borrow_mut() = Some(Box::new(buffer));
    pump::spawn(WebsocketContext::with_codec(session, inbound::unused(), Codec::new()), shared);
    Some(is_ready)
}

impl Session {
    /// The actor has started: it can be reached, and resumed.
    pub(super) fn begin_restored(&self, ready: oneshot::Sender<Arc<Member>>) {
        if let Some(buffer) = self.shared.resume_buffer.borrow().as_ref() {
            self.me().resume.open(buffer.secrets());
        }
        self.shared.moved();
        // Whoever asked is gone only if the server is.
        let _ = ready.send(Arc::clone(self.me()));
    }

    /// The room has it again.
    pub(super) fn seat_restored(&mut self, snapshot: &Arc<Snapshot>) {
        self.rules.restore(snapshot);
        let recording = recorder::open(&snapshot.room, RoomLife::new(snapshot.port.life()));
        let place = RoomHandle { room: snapshot.room.clone(), port: snapshot.port.clone(), recording };
        self.shared.enter(Some(place));
        let end = self.shared.end().map(|(at, _)| at);
        let window = end.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()));
        self.shared.with_ids(|context| telemetry::emit(&Event::SessionRestored { context, window }));
    }
}
