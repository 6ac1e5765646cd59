//! What a connection asks of its socket.

use std::{
    future::Future,
    io::{self, IoSlice},
    net::Shutdown,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, BytesMut};
use socket2::SockRef;
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::kernel_memory;

/// A connected, non-blocking socket. Called statically: plain TCP pays nothing for there being a choice.
pub(crate) trait Socket: Sized {
    /// The socket on its way to another thread, where no runtime watches it.
    type Detached: Send;

    /// Reads into the room that `into` has, at most `most` bytes; 0 is the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut, most: usize) -> Poll<io::Result<usize>>;

    /// Writes what the kernel takes now. What it does not say is written is offered again, before anything else.
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Whether there is something to read, or the end to be found.
    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether the kernel takes more.
    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the other side that nothing more comes.
    fn finish(&mut self);

    /// Ends without waiting for what the kernel has not sent.
    fn reset(self);

    /// Memory that the kernel uses for it: what waits there to be read or sent.
    fn kernel_bytes(&self) -> u64;

    /// Memory of this process that it holds itself, beside what whoever reads and writes holds.
    fn own_bytes(&self) -> u64 {
        0
    }

    /// Leaves this thread's runtime.
    fn detach(self) -> io::Result<Self::Detached>;

    /// Joins this thread's runtime.
    fn attach(detached: Self::Detached) -> io::Result<Self>;
}

impl Socket for TcpStream {
    type Detached = std::net::TcpStream;

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut, most: usize) -> Poll<io::Result<usize>> {
        // Needs no byte of the buffer to be written before the kernel does: zeroing 64 KiB for a read of 2 took a
        // quarter of a relay.
        pin!(self.read_buf(&mut into.limit(most))).poll(cx)
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match slices {
            // Mostly. The kernel has less to prepare for it than for a list of one.
            [slice] => TcpStream::try_write(self, slice),
            slices => self.try_write_vectored(slices),
        }
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        TcpStream::poll_read_ready(self, cx)
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        TcpStream::poll_write_ready(self, cx)
    }

    fn finish(&mut self) {
        // It fails only if the socket is gone, which is what was wanted.
        let _ = SockRef::from(&*self).shutdown(Shutdown::Write);
    }

    fn reset(self) {
        // As above. Dropping the socket then sends RST.
        let _ = SockRef::from(&self).set_linger(Some(Duration::ZERO));
    }

    fn kernel_bytes(&self) -> u64 {
        kernel_memory::of(self)
    }

    fn detach(self) -> io::Result<Self::Detached> {
        self.into_std()
    }

    fn attach(detached: Self::Detached) -> io::Result<Self> {
        Self::from_std(detached)
    }
}
