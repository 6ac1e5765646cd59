//! The end of a session's connection: what its client is sent as the reason, if its socket takes last words, and what is told of
//! one that ends between two sessions.

use std::{sync::Arc, time::Instant};

use actix_http::ws::CloseReason;

use super::attachment::Attachment;
use crate::{
    messages::session::{FrameCounts, InTransit, Member},
    protocol::{
        ByeAction, EndReason, PlainText,
        server::{ServerFrame, encode},
    },
    telemetry::{self, Event},
    ws::{self, Discarded, Flushed, close_frame},
};

/// When a client whose connection the server ended for its own reasons may come back: at once, but its own back-off rules.
const RETRY_AFTER_MS: u64 = 1_000;

/// Bytes that the kernel may hold for a client that is to hear why it is ended for what it holds: last words take two seconds.
const FEW: u64 = 16 << 10;

/// Whether somebody who moderates wants this client to go, and perhaps has a word for it.
pub(super) fn is_moderation(reason: EndReason) -> bool {
    matches!(reason, EndReason::Kicked | EndReason::RoomClosed)
}

/// Ends a connection in the way that the reason asks for, in a task of its own. `text` is for its client's user.
pub(super) fn close(attachment: Attachment, reason: EndReason, action: ByeAction, text: Option<&PlainText>) {
    let Attachment { mut connection, close_answer, bye_sent, .. } = attachment;
    if reason == EndReason::MemoryPressure
        && (connection.kernel_bytes() > FEW || !matches!(connection.flush(), Ok(Flushed::Empty)))
    {
        return tally(connection.reset());
    }
    let (bye, close_frame) = match (close_answer, reason.close_code()) {
        // The client closed first: its close frame is answered with the same.
        (Some(answer), _) => (None, *answer),
        (None, Some(code)) => {
            // A drain's time to come back is the closing itself.
            let at_once = action == ByeAction::Disconnect || reason == EndReason::ServerDraining;
            let retry_after_ms = if at_once { 0 } else { RETRY_AFTER_MS };
            let bye = ServerFrame::Bye { reason, action, retry_after_ms, message: text };
            // That is said although the server has said that it goes.
            let bye = (is_moderation(reason) || !bye_sent).then(|| encode(&bye).into_bytes());
            let description = Some(reason.as_str().to_owned());
            (bye, close_frame(Some(CloseReason { code: code.into(), description })))
        }
        (None, None) => return tally(connection.reset()),
    };
    actix_rt::spawn(async move { tally(ws::close(connection, bye, close_frame).await) });
}

fn tally(discarded: Discarded) {
    telemetry::tally(|t| {
        t.discarded_frames += discarded.frames as u64;
        t.discarded_bytes += discarded.bytes as u64;
    });
}

/// A connection on its way from one session to the one that its client came back to. If it is lost there, nobody else tells its
/// end, whatever became of the message.
pub(super) struct TransferGuard {
    /// The session that it left; `None` once it has arrived.
    from: Option<Arc<Member>>,
    opened: Instant,
    frames: FrameCounts,
}

impl TransferGuard {
    pub(super) fn new(from: &Arc<Member>, opened: Instant, frames: FrameCounts) -> Self {
        Self { from: Some(Arc::clone(from)), opened, frames }
    }
}

impl InTransit for TransferGuard {
    fn arrived(mut self: Box<Self>) {
        self.from = None;
    }
}

/// No failure of the server's, and clients can cause it: the other session was gone before the socket came. (If that is only about
/// to go, the client is sent `internal` and `reconnect`, unless it was sent away.)
impl Drop for TransferGuard {
    fn drop(&mut self) {
        let Some(from) = self.from.take() else { return };
        let (context, reason, duration) = (from.context(), EndReason::ResumeExpired, self.opened.elapsed());
        let FrameCounts { read: frames_in, written: frames_out } = self.frames;
        telemetry::emit(&Event::ConnectionClosed { context, reason, duration, frames_in, frames_out });
    }
}
