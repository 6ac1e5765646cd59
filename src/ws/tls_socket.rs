//! TLS over TCP, the server's side: rustls, told when the kernel has something and when it takes something.
//!
//! Not `tokio-rustls`: its stream cannot leave a runtime for another thread, as sockets here do, and buffers what the outbox has
//! counted as written.

use std::{
    io::{self, BufRead, IoSlice, Read, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use rustls::{ServerConfig, ServerConnection};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::socket::Socket;

/// Bytes that are encrypted at a time: one record (RFC 8446 section 5.1). So much of what waits is held twice at most.
const RECORD: usize = 16 * 1024;
/// Bytes that may come without one of the data being among them: empty records cost the server time, and no rate counts them.
const BARREN: usize = 64 * 1024;
/// What rustls holds for a connection that is idle: 4 KiB that it reads into, its state, its keys (measured: docs/performance.md).
const IDLE: u64 = 7 * 1024;
/// Reads from the kernel in one go, of 4 KiB each.
const READS: usize = 16;

/// A socket with TLS on it. In one box, so that those without are no larger for it.
#[derive(Debug)]
pub struct TlsSocket(Box<Inner<TcpStream>>);

/// The same on its way to another thread.
#[derive(Debug)]
pub struct DetachedTls(Box<Inner<std::net::TcpStream>>);

#[derive(Debug)]
struct Inner<T> {
    tcp: T,
    tls: ServerConnection,
    /// Bytes of the last `try_write` that are encrypted, and whose records the kernel has not taken whole. Whoever writes still
    /// has them, and offers them again.
    encrypted: usize,
    /// Bytes that came since the last of the data did.
    barren: usize,
}

/// Why there is no TLS on a socket.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The socket ended.
    #[error("the socket ended during its TLS handshake")]
    Gone(#[from] io::Error),
    /// The client's part is longer than it may be.
    #[error("the client's part of the TLS handshake is too long")]
    TooLong,
    /// The two have nothing in common, or what came is no TLS.
    #[error("the TLS handshake failed")]
    Failed(#[from] rustls::Error),
}

/// The kernel's side, without waiting.
struct Kernel<'a>(&'a TcpStream);

impl Read for Kernel<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

impl Write for Kernel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsSocket {
    /// Before the handshake.
    ///
    /// # Errors
    /// The configuration is none for a server.
    pub fn new(tcp: TcpStream, config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        let mut tls = ServerConnection::new(config)?;
        tls.set_buffer_limit(Some(RECORD));
        Ok(Self(Box::new(Inner { tcp, tls, encrypted: 0, barren: 0 })))
    }

    /// The handshake. `early` is what was read of the socket before; the client's part, with that, may have `most` bytes.
    ///
    /// # Errors
    /// See [`TlsError`]. A client that could be told why was sent an alert (RFC 8446 section 6).
    pub async fn handshake(&mut self, mut early: &[u8], most: usize) -> Result<(), TlsError> {
        let this = &mut *self.0;
        let mut left = most.checked_sub(early.len()).ok_or(TlsError::TooLong)?;
        while !early.is_empty() {
            this.tls.read_tls(&mut early)?;
            this.process()?;
        }
        loop {
            while this.tls.wants_write() {
                match this.tls.write_tls(&mut Kernel(&this.tcp)) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => this.tcp.writable().await?,
                    Err(error) => return Err(error.into()),
                }
            }
            if !this.tls.is_handshaking() {
                return Ok(());
            }
            if left == 0 {
                return Err(TlsError::TooLong);
            }
            this.tcp.readable().await?;
            match this.tls.read_tls(&mut Kernel(&this.tcp).take(left as u64)) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => {
                    left -= read;
                    this.process()?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the handshake is over: only then anything can be said.
    #[must_use]
    pub fn is_established(&self) -> bool {
        !self.0.tls.is_handshaking()
    }

    /// The socket without TLS, for whoever failed to agree on it.
    #[must_use]
    pub fn into_tcp(self) -> TcpStream {
        self.0.tcp
    }
}

impl Inner<TcpStream> {
    /// What came, decrypted. What has to be said about it goes out as far as the kernel takes it: the client is told of the
    /// end that a failure is.
    fn process(&mut self) -> Result<(), rustls::Error> {
        let processed = self.tls.process_new_packets();
        if self.tls.wants_write() {
            // A socket that fails is found by whoever waits for it.
            let _ = self.write_records();
        }
        processed.map(|_| ())
    }

    /// Writes what is encrypted; `WouldBlock` when the kernel takes no more of it.
    fn write_records(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut Kernel(&self.tcp))? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Encrypts some of it, at most one record's worth. Says how much.
    fn encrypt(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut left = RECORD;
        // Those that fit go into one record, and not each into its own.
        let mut some = [IoSlice::new(&[]); 32];
        let mut used = 0;
        for (slot, slice) in some.iter_mut().zip(slices) {
            if left == 0 {
                break;
            }
            let taken = slice.len().min(left);
            *slot = IoSlice::new(&slice[..taken]);
            (left, used) = (left - taken, used + 1);
        }
        self.tls.writer().write_vectored(&some[..used])
    }

    /// Hands `take` what is decrypted, as soon as there is something; nothing is the end.
    fn poll_data<T>(&mut self, cx: &mut Context<'_>, take: impl FnOnce(&[u8]) -> (usize, T)) -> Poll<io::Result<T>> {
        let mut reads = 0;
        loop {
            match self.tls.reader().fill_buf() {
                Ok(data) => {
                    let (taken, value) = take(data);
                    self.tls.reader().consume(taken);
                    self.barren = 0;
                    return Poll::Ready(Ok(value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            if reads == READS {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.tls.read_tls(&mut Kernel(&self.tcp)) {
                Ok(read) => {
                    (reads, self.barren) = (reads + 1, self.barren + read);
                    if self.barren > BARREN {
                        return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "records without data")));
                    }
                    self.process().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.tcp.poll_read_ready(cx))?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl Socket for TlsSocket {
    type Detached = DetachedTls;

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut, most: usize) -> Poll<io::Result<usize>> {
        self.0.poll_data(cx, |data| {
            let taken = data.len().min(most);
            into.extend_from_slice(&data[..taken]);
            (taken, taken)
        })
    }

    /// Says that bytes are written when the kernel has all of their record; until then they are offered again, and only then
    /// counted as gone.
    fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let this = &mut *self.0;
        if this.encrypted == 0 {
            // What is not of the data (an answer to a change of keys) goes first.
            this.write_records()?;
            this.encrypted = this.encrypt(slices)?;
        }
        this.write_records()?;
        Ok(std::mem::take(&mut this.encrypted))
    }

    fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Something is decrypted, or the end was.
        if self.0.tls.wants_read() { self.0.tcp.poll_read_ready(cx) } else { Poll::Ready(Ok(())) }
    }

    fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.tcp.poll_write_ready(cx)
    }

    fn finish(&mut self) {
        self.0.tls.send_close_notify();
        // In 30 bytes. Where the kernel has no room for them, the close frame before has said as much.
        let _ = self.0.write_records();
        Socket::finish(&mut self.0.tcp);
    }

    fn reset(self) {
        Socket::reset(self.0.tcp);
    }

    fn kernel_bytes(&self) -> u64 {
        Socket::kernel_bytes(&self.0.tcp)
    }

    /// What is decrypted and not read comes on top, one record at most; the library does not say how much.
    fn own_bytes(&self) -> u64 {
        IDLE + self.0.encrypted as u64
    }

    fn set_receive_buffer(&self, bytes: usize) {
        Socket::set_receive_buffer(&self.0.tcp, bytes);
    }

    fn detach(self) -> io::Result<DetachedTls> {
        let Inner { tcp, tls, encrypted, barren } = *self.0;
        Ok(DetachedTls(Box::new(Inner { tcp: tcp.detach()?, tls, encrypted, barren })))
    }

    fn attach(detached: DetachedTls) -> io::Result<Self> {
        let Inner { tcp, tls, encrypted, barren } = *detached.0;
        Ok(Self(Box::new(Inner { tcp: Socket::attach(tcp)?, tls, encrypted, barren })))
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_data(cx, |data| {
            let taken = data.len().min(into.remaining());
            into.put_slice(&data[..taken]);
            (taken, ())
        })
    }
}

/// What is written may wait here, one record of it, until it is flushed.
impl AsyncWrite for TlsSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut *this).poll_flush(cx))?;
        let written = this.0.encrypt(&[IoSlice::new(bytes)])?;
        match this.0.write_records() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Poll::Ready(Err(error)),
            Ok(()) | Err(_) => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match this.0.write_records() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(this.0.tcp.poll_write_ready(cx))?,
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Said once, however often this is asked.
        this.0.tls.send_close_notify();
        ready!(Pin::new(&mut *this).poll_flush(cx))?;
        Pin::new(&mut this.0.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
