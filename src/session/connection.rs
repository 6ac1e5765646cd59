//! One socket of a session, with what waits to be written to it. A session that may be resumed can outlive several.

use std::{any::Any, io, net::Shutdown, time::Instant};

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::{TcpStream, tcp::OwnedWriteHalf};

use crate::{
    messages::session::FrameCounts,
    telemetry,
    ws::{Flushed, Outbox},
};

/// Held as long as the socket is: the connection's place in the count.
pub(super) type Permit = Box<dyn Any + Send>;

/// A connected socket's writing half.
pub(super) struct Connection {
    socket: OwnedWriteHalf,
    pub(super) outbox: Outbox,
    pub(super) permit: Permit,
    pub(super) opened: Instant,
    /// Frames read from it. Brought up to date when it is taken away; meanwhile `SessionShared` counts.
    pub(super) frames_in: u64,
    /// The answer to the client's close frame.
    pub(super) echo: Option<Box<Bytes>>,
    /// Whether `bye` was said already: a drain says it long before the close.
    pub(super) said_bye: bool,
    /// Whether it ended without a close frame.
    pub(super) lost: bool,
    /// Whether the client's close frame said that it does not come back.
    pub(super) goodbye: bool,
}

impl Connection {
    pub(super) fn new(socket: OwnedWriteHalf, permit: Permit, opened: Instant) -> Self {
        Self {
            socket,
            outbox: Outbox::default(),
            permit,
            opened,
            frames_in: 0,
            echo: None,
            said_bye: false,
            lost: false,
            goodbye: false,
        }
    }

    /// A socket that had a session before: so many frames were read from and written to it.
    pub(super) fn go_on(mut self, frames: FrameCounts) -> Self {
        self.frames_in = frames.read;
        self.outbox.begin_at(frames.written);
        self
    }

    /// Frames read from and written to it.
    pub(super) fn frame_counts(&self) -> FrameCounts {
        FrameCounts { read: self.frames_in, written: self.outbox.written() }
    }

    /// Writes until nothing waits or the kernel takes no more.
    pub(super) fn flush(&mut self) -> io::Result<Flushed> {
        if self.outbox.is_empty() {
            return Ok(Flushed::Empty);
        }
        let socket = &self.socket;
        self.outbox.flush(|slices| match slices {
            // Mostly. The kernel has less to prepare for it than for a list of one.
            [slice] => socket.try_write(slice),
            slices => socket.try_write_vectored(slices),
        })
    }

    /// The socket, to wait for and to read off while it lingers.
    pub(super) fn socket(&self) -> &TcpStream {
        self.socket.as_ref()
    }

    /// Says FIN: everything was said.
    pub(super) fn finish(&self) {
        // It fails only if the socket is gone, which is what was wanted.
        let _ = SockRef::from(self.socket()).shutdown(Shutdown::Write);
    }

    /// Gives the socket up without waiting for what it has not sent: the client sees a reset (1006).
    pub(super) fn reset(self) {
        telemetry::tally(|t| {
            t.discarded_frames += self.outbox.frames() as u64;
            t.discarded_bytes += self.outbox.bytes() as u64;
        });
        // As above.
        let _ = SockRef::from(self.socket()).set_linger(Some(std::time::Duration::ZERO));
    }

    /// The same socket for another arbiter, with what waits to be written to it.
    pub(super) fn into_std(self) -> io::Result<(std::net::TcpStream, Permit, Vec<Bytes>)> {
        let Self { socket, permit, outbox, .. } = self;
        let twin = SockRef::from(AsRef::<TcpStream>::as_ref(&socket)).try_clone()?;
        // Dropping the half would otherwise shut the shared socket down.
        socket.forget();
        Ok((twin.into(), permit, outbox.into_frames()))
    }
}
