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

    /// How much the kernel takes in for it from now on, before anybody reads it. What waits there already stays.
    fn set_receive_buffer(&self, bytes: usize);

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

    fn set_receive_buffer(&self, bytes: usize) {
        // It fails only if the socket is gone.
        let _ = SockRef::from(self).set_recv_buffer_size(bytes);
    }

    fn detach(self) -> io::Result<Self::Detached> {
        self.into_std()
    }

    fn attach(detached: Self::Detached) -> io::Result<Self> {
        Self::from_std(detached)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Memory that the kernel uses for a socket that nobody reads, and to which as much was sent as can be.
    async fn filled(receive_buffer: Option<usize>) -> u64 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        SockRef::from(&listener).set_recv_buffer_size(65_536).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        SockRef::from(&client).set_send_buffer_size(16_384).unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let send = || while client.try_write(&[b'x'; 4096]).is_ok() {};
        client.writable().await.unwrap();
        if let Some(bytes) = receive_buffer {
            client.try_write(&[b'x'; 4096]).unwrap();
            server.readable().await.unwrap();
            server.set_receive_buffer(bytes);
        }
        send();
        // What was taken in meanwhile made room for more.
        for _ in 0..100 {
            tokio::task::yield_now().await;
            send();
        }
        server.kernel_bytes()
    }

    #[actix::test]
    async fn a_socket_that_is_not_to_be_read_takes_in_no_more() {
        let (free, held) = (filled(None).await, filled(Some(4096)).await);
        assert!(free > 60_000 && held < free / 2, "{free} bytes, and {held} where little is to be taken in");
    }
}
