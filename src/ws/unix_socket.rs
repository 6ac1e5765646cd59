//! A second kind of socket, for the tests that show that a session needs no TCP.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::pin,
    task::{Context, Poll},
};

use bytes::{BufMut, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    net::UnixStream,
};

use super::socket::Socket;

impl Socket for UnixStream {
    type Detached = std::os::unix::net::UnixStream;

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut, most: usize) -> Poll<io::Result<usize>> {
        pin!(self.read_buf(&mut into.limit(most))).poll(cx)
    }

    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        UnixStream::poll_read_ready(self, cx)
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        UnixStream::poll_write_ready(self, cx)
    }

    fn finish(&mut self) {
        // Tokio shuts such a socket down at once.
        let _ = pin!(self).poll_shutdown(&mut Context::from_waker(std::task::Waker::noop()));
    }

    fn reset(self) {}

    fn kernel_bytes(&self) -> u64 {
        super::kernel_memory::of(self)
    }

    fn set_receive_buffer(&self, bytes: usize) {
        // What waits is bounded by the sender's buffer.
        let _ = socket2::SockRef::from(self).set_recv_buffer_size(bytes);
    }

    fn detach(self) -> io::Result<Self::Detached> {
        self.into_std()
    }

    fn attach(detached: Self::Detached) -> io::Result<Self> {
        Self::from_std(detached)
    }
}
