//! What a session's actor, its reader, its pump and its arbiter's sweep share, in parts, and what concerns more than one of
//! these: whatever is received, queued or due has the next sweep look.

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
    current_connection::{CurrentConnection, Progress, Queued},
    deadline::{Deadline, Lifetime},
    heartbeat::Pulse,
    held_signal::HeldSignal,
    pauses::Pauses,
    registry::{Entry, Listed, Registry, Standing},
    resume_buffer::ResumeBuffer,
    setup::SessionConfig,
    turns::Turn,
};
use crate::{
    limits::{Bucket, Subnet},
    messages::{
        KillSwitch, Load, Mark, SeatTaken,
        room::RoomPort,
        session::{FrameCounts, Member, ResumeGrant},
    },
    protocol::{
        EndReason, FrameKind, PeerId, RoomName, TextFrame,
        server::{ServerFrame, encode},
    },
    recorder::{self, RoomRecording, fact::What},
    telemetry::{self, Event},
};

/// The room that a session is in, as far as its pump must know it.
pub(super) struct RoomHandle {
    pub(super) room: RoomName,
    pub(super) port: RoomPort,
    /// What this thread records of it, if anything.
    pub(super) recording: Option<RoomRecording>,
}

/// This session's socket is to go to the session that its client comes back to.
pub(super) struct PendingTransfer {
    pub(super) to: Arc<Member>,
    pub(super) grant: ResumeGrant,
    /// What the reader had left when it was dropped.
    pub(super) unread: Vec<u8>,
}

/// One session, as its arbiter sees it. Most of it is the actor's; what others change says so.
pub(super) struct SessionShared {
    /// What all sessions of the arbiter have in common.
    pub(super) setup: Rc<SessionConfig>,
    /// Where the client is, for the limits per address: it may come back from elsewhere.
    pub(super) subnet: Cell<Option<Subnet>>,
    /// How the room's other sessions reach this one. Set once, when the actor starts.
    pub(super) member: OnceCell<Arc<Member>>,
    /// How the session is ended, by anybody. The pump looks.
    pub(super) kill_switch: KillSwitch,
    /// Why the session is over: the pump tells `stopped`.
    pub(super) why: Cell<Option<EndReason>>,

    /// Read by the reader, written and taken away by the pump; the actor gives it another.
    pub(super) connection: CurrentConnection,
    /// The tokens for its frames, the reader's: they are the session's, whatever its connection.
    pub(super) bucket: Cell<Bucket>,
    /// The same for its bytes.
    pub(super) bytes: Cell<Bucket>,
    /// Whether the reader waits because memory is nearly used and this session holds more than its share.
    pub(super) held_back: Cell<bool>,
    /// Whether it is the reader's turn, while the arbiter is busy.
    pub(super) turn: Cell<Turn>,
    /// Whether the reader waits: nothing may come between a `join` that resumes and its `joined`, nor after a handover has begun.
    pub(super) paused: Pauses,
    /// Whether the reader waits because there is a `held` signal.
    pub(super) busy: Cell<bool>,
    /// A signal that some of its receivers have no room for yet.
    pub(super) held: Cell<Option<Box<HeldSignal>>>,
    /// Where the actor wants the connection to go. The reader adds what it has not handled, the pump takes it there.
    pub(super) pending_transfer: Cell<Option<Box<PendingTransfer>>>,

    /// The sweep's; the reader tells it of signs of life.
    pub(super) pulse: Pulse,
    /// When this session ends by itself, and why. Set by [`SessionShared::end_at`] alone, for the sweep.
    pub(super) deadline: Deadline,
    /// For the registry of the arbiter's sessions.
    entry: Entry,

    /// The number of the join that the supervisor may hold a seat for; 0: none. The actor's.
    pub(super) join_seq: Cell<u32>,

    /// Only for a session that may be resumed. The pump tells it of losses.
    pub(super) resume_buffer: RefCell<Option<Box<ResumeBuffer>>>,
    /// The room, while the session is in one. Set by [`SessionShared::enter`].
    pub(super) inside: RefCell<Option<RoomHandle>>,
    /// What bounds its time, beside its deadline.
    pub(super) lifetime: RefCell<Lifetime>,
    /// Whether the client is sent back what it sends.
    #[cfg(feature = "echo")]
    pub(super) echoes: Cell<bool>,
}

/// With its `Rc`'s two counts it is in the allocator's class of 384 bytes, and every idle connection has one. (Of sockets, tests have one
/// kind more.)
#[cfg(not(test))]
const _: () = assert!(size_of::<SessionShared>() <= 384 - 2 * size_of::<usize>());

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
        attachment: Option<Attachment>,
        setup: Rc<SessionConfig>,
        subnet: Option<Subnet>,
        now: Instant,
    ) -> Rc<Self> {
        Rc::new(Self {
            setup,
            subnet: Cell::new(subnet),
            member: OnceCell::new(),
            kill_switch: KillSwitch::default(),
            why: Cell::new(None),
            connection: CurrentConnection::new(attachment),
            bucket: Cell::new(Bucket::full(now)),
            bytes: Cell::new(Bucket::full(now)),
            held_back: Cell::new(false),
            turn: Cell::default(),
            paused: Pauses::default(),
            busy: Cell::new(false),
            held: Cell::new(None),
            pending_transfer: Cell::new(None),
            pulse: Pulse::since(now),
            deadline: Deadline::default(),
            entry: Entry::default(),
            join_seq: Cell::new(0),
            resume_buffer: RefCell::new(None),
            inside: RefCell::new(None),
            lifetime: RefCell::default(),
            #[cfg(feature = "echo")]
            echoes: Cell::new(false),
        })
    }

    /// The one way out for text. Of a session that may be resumed, what is counted is kept until it is acknowledged.
    pub(super) fn send(&self, frame: &ServerFrame<'_>) {
        self.send_encoded(frame.kind(), encode(frame));
    }

    /// The same for what was encoded once, for many.
    pub(super) fn send_encoded(&self, kind: FrameKind, frame: TextFrame) {
        let frame = frame.into_bytes();
        self.record(kind, &frame);
        self.queue(frame);
    }

    #[inline]
    fn record(&self, kind: FrameKind, frame: &Bytes) {
        telemetry::tally(|t| t.message_out(kind, frame.len()));
        if let Some(resume_buffer) = self.resume_buffer.borrow_mut().as_mut()
            && !matches!(kind, FrameKind::Joined | FrameKind::Pong | FrameKind::Bye)
        {
            resume_buffer.record(frame, self.setup.keep);
        }
    }

    /// The same for a signal that was admitted while there was no socket: within the bound of the resume buffer, and perhaps not
    /// within that of the queue.
    #[cold]
    pub(super) fn send_late(&self, kind: FrameKind, frame: TextFrame) {
        let frame = frame.into_bytes();
        self.record(kind, &frame);
        if self.attached() && self.kill_switch.reason().is_none() {
            self.replay(vec![frame]);
        } else {
            self.queue(frame);
        }
    }

    /// Queues bytes for the socket. Over the bound, and with a kernel that takes no more, this is the end of the socket:
    /// nothing is queued after it.
    pub(super) fn queue(&self, frame: Bytes) {
        if self.kill_switch.reason().is_some() {
            return;
        }
        match self.connection.queue(frame, self.setup.queue) {
            Queued::First(waiting) => {
                self.publish(waiting);
                self.hurry();
            }
            Queued::Next(waiting) => self.publish(waiting),
            Queued::Flushed(progress) => self.flushed(&progress),
            Queued::Nowhere => self.publish_kept(),
            Queued::Over => self.kill_switch.kill(EndReason::SlowConsumer),
        }
    }

    /// A signal that was posted to this session is in its queue, or in its resume buffer alone.
    #[inline]
    pub(super) fn queued(&self, from: PeerId, bytes: usize, mark: Mark) {
        if let Some(member) = self.member.get() {
            let number = if mark.counted { self.connection.latest() } else { 0 };
            member.inbox.queued(from, bytes, mark, number);
        }
    }

    /// So much waits: senders ask for it before they post.
    #[inline]
    fn publish(&self, waiting: Load) {
        if let Some(member) = self.member.get() {
            member.inbox.publish(waiting, false);
        }
    }

    /// Without a socket what waits is what is kept.
    #[cold]
    pub(super) fn publish_kept(&self) {
        if let Some(member) = self.member.get() {
            member.inbox.publish(self.kept(), true);
        }
    }

    fn kept(&self) -> Load {
        let (frames, bytes) = self.resume_buffer.borrow().as_ref().map_or((0, 0), |buffer| buffer.kept());
        Load::new(frames, bytes)
    }

    /// Writes what waits. An error is the connection's end.
    pub(super) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (flushed, progress) = self.connection.poll_flush(cx);
        if let Some(progress) = progress {
            self.flushed(&progress);
        }
        flushed
    }

    /// Something was written, perhaps: whoever waits for it is told.
    #[inline]
    pub(super) fn flushed(&self, progress: &Progress) {
        if let Some(member) = self.member.get() {
            member.inbox.flushed(progress.waiting, progress.number, progress.bytes as u64, &self.setup.inbox);
        }
    }

    /// The socket is gone, or there is another one: senders find another bound, and those that wait ask again.
    pub(super) fn moved(&self) {
        if let Some(member) = self.member.get() {
            let waiting = self.connection.waiting();
            member.inbox.moved(waiting.unwrap_or_else(|| self.kept()), waiting.is_none());
        }
    }

    /// Queues what a resumed session has missed: past the bound, or who was too slow before would be found so again.
    pub(super) fn replay(&self, frames: Vec<Bytes>) {
        self.connection.queue_exempt(frames);
        self.hurry();
    }

    /// Takes the socket away, and tells that its connection ended.
    pub(super) fn detach(&self, reason: EndReason) -> Option<Attachment> {
        let (attachment, FrameCounts { read: frames_in, written: frames_out }) = self.detach_quietly()?;
        let duration = attachment.opened().elapsed();
        self.with_ids(|context| {
            telemetry::emit(&Event::ConnectionClosed { context, reason, duration, frames_in, frames_out });
        });
        Some(attachment)
    }

    /// Lends out what events of this session say of it: its names, and its room.
    pub(super) fn with_ids(&self, send: impl FnOnce(telemetry::Context<'_>)) {
        let inside = self.inside.borrow();
        let member = self.member.get();
        let context = member.map(|m| m.context().as_peer(m.peer)).unwrap_or_default();
        send(context.within(inside.as_ref().map(|place| &place.room)));
    }

    /// Records what has just happened to this peer, if it is in a room. What is on the relay path knows the time already.
    pub(super) fn note(&self, what: What) {
        if let Some(recording) = self.recording() {
            recorder::note(Some(&recording), Instant::now(), self.member.get().map(|me| me.peer), what);
        }
    }

    /// What is recorded of the room that the session is in.
    pub(super) fn recording(&self) -> Option<RoomRecording> {
        self.inside.borrow().as_ref()?.recording.clone()
    }

    /// Takes the socket away, with how many frames went over it: it goes on elsewhere.
    pub(super) fn detach_quietly(&self) -> Option<(Attachment, FrameCounts)> {
        self.waits_no_more();
        let attachment = self.connection.take();
        self.recount();
        attachment
    }

    /// Gives the session a socket, from which so many frames were read before.
    pub(super) fn attach(&self, attachment: Attachment, read: u64, now: Instant) {
        self.pulse.restart(now);
        // It was the former connection that was held back.
        self.held_back.set(false);
        self.connection.set(attachment, read);
        self.take_in_as_others();
        self.moved();
        self.recount();
        self.hurry();
    }

    /// Whether the connection is to go to another session.
    #[inline]
    pub(super) fn is_leaving(&self) -> bool {
        let pending = self.pending_transfer.take();
        let is_some = pending.is_some();
        self.pending_transfer.set(pending);
        is_some
    }

    pub(super) fn attached(&self) -> bool {
        self.connection.is_there()
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
    pub(super) fn hurry(&self) {
        SESSIONS.with(|sessions| sessions.hurry(self));
    }

    /// Whether the present socket ended without a close frame.
    pub(super) fn is_lost(&self) -> bool {
        self.connection.has(|attachment| attachment.lost)
    }

    /// Whether the client's close frame said that it does not come back.
    pub(super) fn has_goodbye(&self) -> bool {
        self.connection.has(|attachment| attachment.goodbye)
    }

    /// Whether the supervisor has taken this session's seat: it is over, and can only not know it yet.
    pub(super) fn has_lost_seat(&self) -> bool {
        let join_seq = self.join_seq.get();
        join_seq > 0 && self.kill_switch.taken() == join_seq
    }

    /// And why.
    pub(super) fn lost_seat(&self) -> Option<SeatTaken> {
        if self.has_lost_seat() { self.member.get()?.how_taken(self.join_seq.get()) } else { None }
    }

    /// Bytes came in: the client lives.
    #[inline]
    pub(super) fn received(&self) {
        if self.pulse.received() {
            self.hurry();
        }
    }
}
