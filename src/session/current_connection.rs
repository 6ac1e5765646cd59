//! The connection that a session has at present, if it has one: read by the session's reader, written by whoever has
//! something to send, replaced when its client comes back on another.

use std::{
    cell::{Cell, RefCell},
    io,
    task::{Context, Poll},
};

use bytes::Bytes;

use super::attachment::Attachment;
use crate::{
    messages::{Load, session::FrameCounts},
    ws::{Connection, Decoder, QueueBound},
};

/// See the module.
pub(super) struct CurrentConnection {
    /// None while the session is parked.
    attachment: RefCell<Option<Attachment>>,
    /// Counts the connections: a reader that belongs to a former one is told so by it.
    epoch: Cell<u32>,
    /// Bytes that were read from the present one and are no whole message yet.
    unhandled: Cell<u32>,
    /// Frames read from the present one. Beside it, since each frame is counted.
    frames_in: Cell<u64>,
}

/// What became of bytes that were to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queued {
    /// They wait, with so much in all; before them nothing did, and nothing had for long.
    First(Load),
    /// They wait, with so much in all.
    Next(Load),
    /// They wait, since the kernel took some of what was before them.
    Flushed(Progress),
    /// More waits than may, and the kernel takes no more.
    Over,
    /// There is no connection.
    Nowhere,
}

/// How far writing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    /// What waits.
    pub(super) waiting: Load,
    /// The number of the last frame that is written.
    pub(super) number: u64,
    /// Bytes that the kernel took.
    pub(super) bytes: usize,
}

impl Progress {
    /// On that connection, where so many bytes waited before.
    #[inline]
    fn of(connection: &Connection, before: usize) -> Self {
        let bytes = before - connection.waiting_bytes();
        Self { waiting: waiting(connection), number: connection.outbox.written(), bytes }
    }
}

#[inline]
fn waiting(connection: &Connection) -> Load {
    let (frames, bytes) = connection.outbox.counted();
    Load::new(frames, bytes)
}

impl CurrentConnection {
    pub(super) fn new(attachment: Option<Attachment>) -> Self {
        Self {
            attachment: RefCell::new(attachment),
            epoch: Cell::new(0),
            unhandled: Cell::new(0),
            frames_in: Cell::new(0),
        }
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.attachment.borrow().is_some()
    }

    /// Which one it is.
    #[inline]
    pub(super) fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    /// Takes it away, with how many frames went over it. From now on it is a former one.
    pub(super) fn take(&self) -> Option<(Attachment, FrameCounts)> {
        self.epoch.set(self.epoch.get().wrapping_add(1));
        self.unhandled.set(0);
        let attachment = self.attachment.borrow_mut().take()?;
        let frames = FrameCounts { read: self.frames_in.get(), written: attachment.connection.outbox.written() };
        Some((attachment, frames))
    }

    /// Sets another one, where there is none. So many frames were read from it before.
    pub(super) fn set(&self, attachment: Attachment, read: u64) {
        self.frames_in.set(read);
        *self.attachment.borrow_mut() = Some(attachment);
    }

    /// Queues bytes, of which no more than `most` may wait.
    #[inline]
    pub(super) fn queue(&self, frame: Bytes, most: QueueBound) -> Queued {
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return Queued::Nowhere };
        if connection.outbox.over(most, frame.len()) {
            // A burst is no slow reader: what the kernel still takes does not wait. An error here comes back at the
            // pump's own flush.
            let before = connection.waiting_bytes();
            let _ = connection.flush();
            if connection.outbox.over(most, frame.len()) {
                return Queued::Over;
            }
            let bytes = before - connection.waiting_bytes();
            connection.outbox.push(frame);
            return Queued::Flushed(Progress { bytes, ..Progress::of(connection, connection.waiting_bytes()) });
        }
        let restless = connection.outbox.is_restless();
        connection.outbox.push(frame);
        let waiting = waiting(connection);
        if restless { Queued::Next(waiting) } else { Queued::First(waiting) }
    }

    /// Queues frames past the bound.
    pub(super) fn queue_exempt(&self, frames: Vec<Bytes>) {
        self.note(|Attachment { connection, .. }| {
            for frame in frames {
                connection.outbox.push_exempt(frame);
            }
        });
    }

    /// Writes what waits; if the kernel is full, asks to be woken when it is not. An error is the connection's end. Says how
    /// far it came, where there is a connection.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> (Poll<io::Result<()>>, Option<Progress>) {
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return (Poll::Ready(Ok(())), None) };
        let before = connection.waiting_bytes();
        let flushed = connection.poll_flush(cx);
        (flushed, Some(Progress::of(connection, before)))
    }

    /// Writes what waits, as far as the kernel takes it. A jam or an error is the pump's to find: it waits for the socket
    /// either way.
    pub(super) fn flush(&self) -> Option<Progress> {
        let mut attachment = self.attachment.borrow_mut();
        let Attachment { connection, .. } = attachment.as_mut()?;
        let before = connection.waiting_bytes();
        let _ = connection.flush();
        Some(Progress::of(connection, before))
    }

    /// What waits, where there is a connection.
    pub(super) fn waiting(&self) -> Option<Load> {
        self.attachment.borrow().as_ref().map(|one| waiting(&one.connection))
    }

    /// The number of the latest frame that was queued; of no connection, one that is never written.
    pub(super) fn latest(&self) -> u64 {
        self.attachment.borrow().as_ref().map_or(u64::MAX, |one| one.connection.outbox.pushed())
    }

    /// Reads once, at most `most` bytes, behind what the decoder has left of the last read; 0 is the end.
    pub(super) fn poll_fill(
        &self,
        decoder: &mut Decoder,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return Poll::Ready(Ok(0)) };
        connection.poll_fill(decoder, most, cx)
    }

    /// Whether there is something to read, or the end to be found.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return Poll::Ready(Ok(())) };
        connection.poll_read_ready(cx)
    }

    /// Counts one frame that was read.
    #[inline]
    pub(super) fn frame_read(&self) {
        self.frames_in.set(self.frames_in.get() + 1);
    }

    /// So many bytes were read and are no whole message yet.
    #[inline]
    pub(super) fn leave_unhandled(&self, bytes: usize) {
        self.unhandled.set(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// Bytes that are held for it: what is no whole message yet, what waits to be written, and what its socket holds itself.
    pub(super) fn held_bytes(&self) -> u64 {
        let (partial_frames, outbox, socket) = self.held_by_kind();
        partial_frames + outbox + socket
    }

    /// Each apart.
    pub(super) fn held_by_kind(&self) -> (u64, u64, u64) {
        let of = |one: &Attachment| (one.connection.waiting_bytes() as u64, one.connection.socket_bytes());
        let (waiting, socket) = self.attachment.borrow().as_ref().map_or((0, 0), of);
        (u64::from(self.unhandled.get()), waiting, socket)
    }

    /// Memory that the kernel uses for it.
    pub(super) fn kernel_bytes(&self) -> u64 {
        self.attachment.borrow().as_ref().map_or(0, |one| one.connection.kernel_bytes())
    }

    /// How much the kernel takes in for it from now on, before it is read.
    pub(super) fn set_receive_buffer(&self, bytes: usize) {
        self.note(|attachment| attachment.connection.set_receive_buffer(bytes));
    }

    /// Remembers something of it.
    pub(super) fn note(&self, note: impl FnOnce(&mut Attachment)) {
        if let Some(attachment) = self.attachment.borrow_mut().as_mut() {
            note(attachment);
        }
    }

    /// Whether something is so of it. Of none, nothing is.
    pub(super) fn has(&self, what: impl FnOnce(&Attachment) -> bool) -> bool {
        self.attachment.borrow().as_ref().is_some_and(what)
    }

    /// Whether there is memory that [`rest`](Self::rest) could give back.
    pub(super) fn is_restless(&self) -> bool {
        self.has(|attachment| attachment.connection.outbox.is_restless())
    }

    /// Gives back what an idle connection has no use for.
    pub(super) fn rest(&self) {
        self.note(|attachment| attachment.connection.outbox.rest());
    }
}
