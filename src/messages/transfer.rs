//! A connection that goes from one session to another, because its client comes back.

use std::{any::Any, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    auth::{Grant, TicketDigest},
    limits::Subnet,
    memory::HeldBytes,
    protocol::{ResumeSecret, client::BearerToken},
    ws::DetachedSocket,
};

/// What a client that comes back was granted: goes with its socket.
#[derive(Debug)]
pub struct ResumeGrant {
    /// As in [`ResumeRequest`]; looked at again when the socket comes.
    pub secret: ResumeSecret,
    /// How many frames the client has handled.
    pub ack: u64,
    /// The `id` of its `join`.
    pub re: Option<Box<str>>,
    /// The client's count of attempts.
    pub attempt: u32,
    /// What its token grants from now on, if it brought one.
    pub renewed: Option<Arc<Grant>>,
    /// What the new connection's handshake brought along: for its later joins.
    pub credential: Option<Box<Credential>>,
    /// The host that it named, where the client is told of a STUN server there.
    pub host: Option<Box<str>>,
}

/// What a connection was let in by, or brought along in its handshake: judged at its first join, and for each later one.
#[derive(Debug)]
pub enum Credential {
    /// Not looked at yet.
    Token(BearerToken<'static>),
    /// It was good.
    Grant(Arc<Grant>),
    /// A ticket that was good, however it was shown, in the handshake's place: it may be shown again on this connection.
    Ticket(TicketDigest, Arc<Grant>),
}

/// A socket on its way from the session that read its `join` to the one that it resumes.
pub struct SocketTransfer {
    /// Connected, watched by no runtime.
    pub socket: DetachedSocket,
    /// The connection's place in the count.
    pub permit: Box<dyn Any + Send>,
    /// Where its client is, for the limits per address.
    pub subnet: Option<Subnet>,
    /// When the connection was opened.
    pub opened: Instant,
    /// What went over it so far.
    pub frames: FrameCounts,
    /// In case it goes no further.
    pub in_transit: Box<dyn InTransit>,
    /// What was queued on it and not written: the oldest may be the rest of a frame.
    pub unsent: Vec<Bytes>,
    /// What was read and not handled.
    pub unread: Vec<u8>,
    /// Whose it is.
    pub grant: ResumeGrant,
    /// Both of those in the count of what is held.
    pub held: HeldBytes,
}

impl std::fmt::Debug for SocketTransfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SocketTransfer({:?})", self.socket)
    }
}

/// Frames that went over one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameCounts {
    /// From the client.
    pub read: u64,
    /// To it.
    pub written: u64,
}

/// Tells the end of a connection that never arrives: by being dropped, unless it hears that it has arrived.
pub trait InTransit: Send {
    /// The connection has a session again.
    fn arrived(self: Box<Self>);
}
