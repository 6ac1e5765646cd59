//! One socket, with what waits to be written to it.

use std::{
    any::Any,
    io,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use super::{
    any_socket::AnySocket,
    decoder::Decoder,
    outbox::{Flushed, Outbox},
    read_buffer,
    socket::Socket,
    traffic,
};

/// Held as long as the socket is: the connection's place in the count.
type Permit = Box<dyn Any + Send>;

/// A connected client, on the thread that serves it.
pub(crate) struct Connection<S = AnySocket> {
    socket: S,
    pub(crate) outbox: Outbox,
    permit: Permit,
}

/// What waited on a connection and was never sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Discarded {
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
}

impl<S: Socket> Connection<S> {
    pub(crate) fn new(socket: S, permit: Permit) -> Self {
        Self { socket, outbox: Outbox::default(), permit }
    }

    /// Writes until nothing waits or the kernel takes no more.
    pub(crate) fn flush(&mut self) -> io::Result<Flushed> {
        if self.outbox.is_empty() {
            return Ok(Flushed::Empty);
        }
        let socket = &mut self.socket;
        self.outbox.flush(|slices| socket.try_write(slices).inspect(|bytes| traffic::sent(*bytes)))
    }

    /// As [`flush`](Self::flush); if the kernel is full, asks to be woken when it is not. An error is the socket's end.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.flush()? == Flushed::Jammed {
            ready!(self.socket.poll_write_ready(cx))?;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, at most `most` bytes, behind what the decoder has left of the last read; 0 is the end.
    pub(crate) fn poll_fill(
        &mut self,
        decoder: &mut Decoder,
        most: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        read_buffer::poll_fill(&mut self.socket, decoder, most, cx)
    }

    /// Reads once, at most `most` bytes, and forgets them; 0 is the end.
    pub(super) fn poll_discard(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        read_buffer::poll_discard(&mut self.socket, most, cx)
    }

    /// Whether there is something to read, or the end to be found.
    pub(crate) fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_read_ready(cx)
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.outbox.bytes()
    }

    /// Memory that the kernel uses for it.
    pub(crate) fn kernel_bytes(&self) -> u64 {
        self.socket.kernel_bytes()
    }

    /// Memory that the socket holds in this process.
    pub(crate) fn socket_bytes(&self) -> u64 {
        self.socket.own_bytes()
    }

    /// How much the kernel takes in for it from now on, before it is read.
    pub(crate) fn set_receive_buffer(&self, bytes: usize) {
        self.socket.set_receive_buffer(bytes);
    }

    /// Sends FIN: everything was sent.
    pub(super) fn finish(&mut self) {
        self.socket.finish();
    }

    /// Gives the socket up without waiting for what it has not sent: the client sees a reset (1006).
    pub(crate) fn reset(self) -> Discarded {
        let discarded = Discarded { frames: self.outbox.frames(), bytes: self.outbox.bytes() };
        self.socket.reset();
        discarded
    }

    /// The socket for another thread, its permit, and what waits to be written to it.
    pub(crate) fn into_parts(self) -> io::Result<(S::Detached, Permit, Vec<Bytes>)> {
        Ok((self.socket.detach()?, self.permit, self.outbox.into_frames()))
    }

    /// A connection that comes from another thread. What waits on it does not count against the bound.
    pub(crate) fn from_parts(socket: S::Detached, permit: Permit, unsent: Vec<Bytes>) -> io::Result<Self> {
        let mut connection = Self::new(S::attach(socket)?, permit);
        for frame in unsent {
            connection.outbox.push_exempt(frame);
        }
        Ok(connection)
    }
}
