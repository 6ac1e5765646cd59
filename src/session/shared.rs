//! What a session, its pump and its arbiter's tick share: the socket, if there is one, the bound on what waits for it, the
//! resume buffer of a session that may be resumed, and the one way to end it all.

use std::{
    cell::{Cell, OnceCell, RefCell},
    io,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

use super::{
    attachment::Attachment,
    heartbeat::Beat,
    registry::{Entry, Listed, Registry, Standing},
    resume_buffer::ResumeBuffer,
    setup::SessionConfig,
    waiting::{InNoRoom, Wait},
};
use crate::{
    limits::{Bucket, Subnet},
    messages::{
        KillSwitch, Note,
        room::RoomPort,
        session::{FrameCounts, Member, ResumeGrant},
    },
    protocol::{
        EndReason, FrameKind, RoomName, TextFrame,
        server::{ServerFrame, encode},
    },
    telemetry::{self, Event},
    ws::Decoder,
};

/// The room that a session is in, as far as its link must know it.
pub(super) struct RoomHandle {
    pub(super) room: RoomName,
    pub(super) port: RoomPort,
}

/// This session's socket is to go to the session that its client comes back to.
pub(super) struct PendingTransfer {
    pub(super) to: Arc<Member>,
    pub(super) grant: ResumeGrant,
    /// What the reader had left when it was dropped.
    pub(super) unread: Vec<u8>,
}

/// One session, as its arbiter sees it.
pub(super) struct SessionShared {
    /// None while the session is parked.
    attachment: RefCell<Option<Attachment>>,
    /// Only for a session that may be resumed.
    pub(super) resume_buffer: RefCell<Option<Box<ResumeBuffer>>>,
    pub(super) setup: Rc<SessionConfig>,
    /// Where the client is, for the limits per address.
    pub(super) subnet: Option<Subnet>,
    /// The tokens for its frames: they are the session's, whatever its socket.
    pub(super) bucket: Cell<Bucket>,
    /// How the session is ended, by whomever.
    pub(super) kill_switch: KillSwitch,
    /// Counts the sockets: a reader that belongs to a former one is told so by it.
    pub(super) epoch: Cell<u32>,
    /// Whether incoming messages wait: nothing may come between a `join` that resumes and its `joined`.
    pub(super) paused: Cell<bool>,
    pub(super) pending_transfer: RefCell<Option<Box<PendingTransfer>>>,
    /// Whether anything was received since the sweep's last look.
    received: Cell<bool>,
    /// Frames read from the present socket.
    frames_in: Cell<u64>,
    /// For the sweep.
    pub(super) beat: Cell<Beat>,
    /// Why the session is over, for `stopped`.
    pub(super) why: Cell<Option<EndReason>>,
    /// When this session ends by itself, and why. Whoever sets it has the sweep look.
    pub(super) deadline: Cell<Option<(Instant, EndReason)>>,
    /// How the room's other sessions reach this one. Set when its actor starts.
    pub(super) member: OnceCell<Arc<Member>>,
    /// The room, while the session is in one. Set by [`SessionShared::enter`].
    pub(super) inside: RefCell<Option<RoomHandle>>,
    /// While there is a connection and it is in no room.
    pub(super) in_no_room: RefCell<Option<Box<InNoRoom>>>,
    /// Whether the client hears back what it says.
    #[cfg(feature = "echo")]
    pub(super) echoes: Cell<bool>,
    /// For the registry of the arbiter's sessions.
    entry: Entry,
}

thread_local! {
    /// The arbiter's sessions: shared with nobody, asked by nobody else.
    pub(super) static SESSIONS: Registry<SessionShared> = Registry::new(Instant::now());
}

impl Listed for SessionShared {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn standing(&self) -> Standing {
        match (self.attached(), self.inside.borrow().is_some()) {
            (false, _) => Standing::Parked,
            (true, false) => Standing::Connected,
            (true, true) => Standing::Joined,
        }
    }
}

impl SessionShared {
    pub(super) fn new(
        attachment: Attachment,
        setup: Rc<SessionConfig>,
        subnet: Option<Subnet>,
        now: Instant,
    ) -> Rc<Self> {
        Rc::new(Self {
            attachment: RefCell::new(Some(attachment)),
            resume_buffer: RefCell::new(None),
            subnet,
            bucket: Cell::new(Bucket::full(now)),
            setup,
            kill_switch: KillSwitch::default(),
            epoch: Cell::new(0),
            paused: Cell::new(false),
            pending_transfer: RefCell::new(None),
            received: Cell::new(false),
            frames_in: Cell::new(0),
            beat: Cell::new(Beat::since(now)),
            why: Cell::new(None),
            deadline: Cell::new(None),
            member: OnceCell::new(),
            inside: RefCell::new(None),
            in_no_room: RefCell::new(None),
            #[cfg(feature = "echo")]
            echoes: Cell::new(false),
            entry: Entry::default(),
        })
    }

    /// The one way out for text. Of a session that may be resumed, what is counted is kept until it is acknowledged.
    pub(super) fn send(&self, frame: &ServerFrame<'_>) {
        self.send_encoded(frame.kind(), encode(frame));
    }

    /// The same for what was encoded once, for many.
    pub(super) fn send_encoded(&self, kind: FrameKind, frame: TextFrame) {
        let frame = frame.into_bytes();
        telemetry::tally(|t| t.message_out(kind, frame.len()));
        if let Some(resume_buffer) = self.resume_buffer.borrow_mut().as_mut()
            && !matches!(kind, FrameKind::Joined | FrameKind::Pong | FrameKind::Bye)
        {
            resume_buffer.said(&frame, self.setup.keep);
        }
        self.queue(frame);
    }

    /// Queues bytes for the socket. Over the bound, and with a kernel that takes no more, this is the end of the socket:
    /// nothing is queued after it.
    pub(super) fn queue(&self, frame: Bytes) {
        if self.kill_switch.reason().is_some() {
            return;
        }
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return };
        let most = (self.setup.queue_bytes, self.setup.queue_frames);
        if connection.outbox.over(most, frame.len()) {
            // A burst is no slow reader: what the kernel still takes does not wait. An error here comes back at the
            // pump's own flush.
            let _ = connection.flush();
            if connection.outbox.over(most, frame.len()) {
                self.kill_switch.kill(EndReason::SlowConsumer);
                return;
            }
        }
        let restless = connection.outbox.is_restless();
        connection.outbox.push(frame);
        if !restless {
            self.hurry();
        }
    }

    /// Queues what a resumed session has missed: past the bound, or whoever was cut for slowness would be cut again.
    pub(super) fn replay(&self, frames: Vec<Bytes>) {
        if let Some(Attachment { connection, .. }) = self.attachment.borrow_mut().as_mut() {
            for frame in frames {
                connection.outbox.push_exempt(frame);
            }
            self.hurry();
        }
    }

    /// Writes what waits; if the kernel is full, asks to be woken when it is not. An error is the socket's end.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return Poll::Ready(Ok(())) };
        connection.poll_flush(cx)
    }

    /// Reads once from the present socket, at most `most` bytes, behind what the decoder has left of the last read; 0 is
    /// its end.
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

    /// Whether there is something to read from the present socket, or its end to be found.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut attachment = self.attachment.borrow_mut();
        let Some(Attachment { connection, .. }) = attachment.as_mut() else { return Poll::Ready(Ok(())) };
        connection.poll_read_ready(cx)
    }

    /// Writes what waits, as far as the kernel takes it. A jam or an error is the pump's to find: it waits for the socket
    /// either way.
    pub(super) fn flush(&self) {
        if let Some(Attachment { connection, .. }) = self.attachment.borrow_mut().as_mut() {
            let _ = connection.flush();
        }
    }

    /// Counts one frame of the present socket. Says `true`, as who permits it.
    pub(super) fn frame_read(&self) -> bool {
        self.frames_in.set(self.frames_in.get() + 1);
        true
    }

    /// Takes the socket away, and tells that its connection ended.
    pub(super) fn detach(&self, reason: EndReason) -> Option<Attachment> {
        let attachment = self.detach_quietly()?;
        let duration = attachment.connection.opened.elapsed();
        let FrameCounts { read: frames_in, written: frames_out } = attachment.frame_counts();
        self.with_ids(|context| {
            telemetry::emit(&Event::ConnectionClosed { context, reason, duration, frames_in, frames_out });
        });
        Some(attachment)
    }

    /// Whom events of this session concern.
    pub(super) fn with_ids(&self, send: impl FnOnce(telemetry::Context<'_>)) {
        let inside = self.inside.borrow();
        let member = self.member.get();
        let context = member.map(|m| m.context().as_peer(m.peer)).unwrap_or_default();
        send(context.within(inside.as_ref().map(|place| &place.room)));
    }

    /// Takes the socket away: it goes on elsewhere.
    pub(super) fn detach_quietly(&self) -> Option<Attachment> {
        self.waits_no_more();
        self.epoch.set(self.epoch.get().wrapping_add(1));
        let mut attachment = self.attachment.borrow_mut().take();
        if let Some(attachment) = &mut attachment {
            attachment.frames_in = self.frames_in.get();
        }
        self.recount();
        attachment
    }

    /// Gives the session a socket.
    pub(super) fn attach(&self, attachment: Attachment, now: Instant) {
        self.beat.set(Beat::since(now));
        self.frames_in.set(attachment.frames_in);
        *self.attachment.borrow_mut() = Some(attachment);
        self.recount();
        self.hurry();
    }

    pub(super) fn attached(&self) -> bool {
        self.attachment.borrow().is_some()
    }

    /// The session is in this room, or in none.
    pub(super) fn enter(&self, place: Option<RoomHandle>) {
        *self.inside.borrow_mut() = place;
        self.recount();
    }

    /// The session may stand otherwise than before.
    fn recount(&self) {
        SESSIONS.with(|sessions| sessions.recount(self));
    }

    /// Has the next sweep look at the session.
    #[inline]
    fn hurry(&self) {
        SESSIONS.with(|sessions| sessions.hurry(self));
    }

    /// Whether the present socket ended without a close frame.
    pub(super) fn is_lost(&self) -> bool {
        self.attachment.borrow().as_ref().is_some_and(|attachment| attachment.lost)
    }

    /// Whether the client's close frame said that it does not come back.
    pub(super) fn said_goodbye(&self) -> bool {
        self.attachment.borrow().as_ref().is_some_and(|attachment| attachment.goodbye)
    }

    /// Remembers something of the present socket.
    pub(super) fn note(&self, note: impl FnOnce(&mut Attachment)) {
        if let Some(attachment) = self.attachment.borrow_mut().as_mut() {
            note(attachment);
        }
    }

    /// When the session ends by itself, if nothing changes. A drain's deadline is never moved, not even before the session
    /// has read of it: what is handled until then would take it away, and nobody would close the connection.
    pub(super) fn end_at(&self, deadline: Option<(Instant, EndReason)>) {
        if self.deadline.get().is_none_or(|(_, why)| why != EndReason::ServerDraining) {
            self.deadline.set(deadline);
            self.hurry();
        }
    }

    /// The connection is in no room from now on, and has the time to join.
    pub(super) fn waits(&self, now: Instant) {
        self.waits_no_more();
        let (place, goes) = self.setup.waiting.enter(self.subnet, self.kill_switch.clone());
        if let Some(longest) = goes {
            longest.leave_note(Note::TooManyWaiting);
        }
        let wait = Wait::since(now);
        self.end_at(Some((wait.begins(self.setup.times), EndReason::JoinTimeout)));
        *self.in_no_room.borrow_mut() = Some(Box::new(InNoRoom { wait, _place: place }));
    }

    /// It is in a room, or gone.
    pub(super) fn waits_no_more(&self) {
        let waited = self.in_no_room.take();
        drop(waited);
    }

    /// Whether the connection is in no room for longer than it may in all.
    pub(super) fn has_waited(&self, now: Instant) -> bool {
        self.in_no_room.borrow().as_ref().is_some_and(|one| one.wait.is_over(self.setup.times, now))
    }

    /// Bytes came in: the client lives.
    pub(super) fn received(&self) {
        if !self.received.replace(true) {
            self.hurry();
        }
    }

    /// Whether there is memory that [`SessionShared::rest`] could give back.
    pub(super) fn is_restless(&self) -> bool {
        self.attachment.borrow().as_ref().is_some_and(|attachment| attachment.connection.outbox.is_restless())
    }

    /// Gives back what an idle connection has no use for.
    pub(super) fn rest(&self) {
        self.note(|attachment| attachment.connection.outbox.rest());
    }

    /// Whether anything came in since this was asked last.
    pub(super) fn has_received(&self) -> bool {
        self.received.replace(false)
    }
}
