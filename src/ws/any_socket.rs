//! The kinds of sockets that there are. A kind is one row of `kinds!` and its [`Socket`]; what a connection is built on
//! need not know which it has.
//!
//! An enum, and no boxed trait object: a branch that is mostly foreseen, instead of an allocation and an indirect call.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    socket::Socket,
    tls_socket::{DetachedTls, TlsSocket},
};

macro_rules! kinds {
    ($($(#[$gate:meta])* $kind:ident($socket:ty, $detached:ty),)+) => {
        /// A client's socket, of any kind.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "named after what they hold")]
        pub enum AnySocket {
            $($(#[$gate])* $kind($socket),)+
        }

        /// The same on its way to another thread.
        #[derive(Debug)]
        #[expect(missing_docs, reason = "named after what they hold")]
        pub enum DetachedSocket {
            $($(#[$gate])* $kind($detached),)+
        }

        $($(#[$gate])* impl From<$socket> for AnySocket {
            fn from(socket: $socket) -> Self {
                Self::$kind(socket)
            }
        })+

        /// Before it is a session's it speaks HTTP, by a library that asks for this.
        impl AsyncRead for AnySocket {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$gate])* Self::$kind(socket) => AsyncRead::poll_read(Pin::new(socket), cx, into),)+
                }
            }
        }

        impl AsyncWrite for AnySocket {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($(#[$gate])* Self::$kind(socket) => Pin::new(socket).poll_write(cx, bytes),)+
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$gate])* Self::$kind(socket) => AsyncWrite::poll_flush(Pin::new(socket), cx),)+
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($(#[$gate])* Self::$kind(socket) => Pin::new(socket).poll_shutdown(cx),)+
                }
            }
        }

        impl Socket for AnySocket {
            type Detached = DetachedSocket;

            #[inline]
            fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut BytesMut, most: usize) -> Poll<io::Result<usize>> {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => Socket::poll_read(socket, cx, into, most),)+
                }
            }

            #[inline]
            fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => Socket::try_write(socket, slices),)+
                }
            }

            #[inline]
            fn poll_read_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => Socket::poll_read_ready(socket, cx),)+
                }
            }

            #[inline]
            fn poll_write_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => Socket::poll_write_ready(socket, cx),)+
                }
            }

            fn finish(&mut self) {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => socket.finish(),)+
                }
            }

            fn reset(self) {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => socket.reset(),)+
                }
            }

            fn kernel_bytes(&self) -> u64 {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => socket.kernel_bytes(),)+
                }
            }

            fn own_bytes(&self) -> u64 {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => Socket::own_bytes(socket),)+
                }
            }

            fn set_receive_buffer(&self, bytes: usize) {
                match self {
                    $($(#[$gate])* Self::$kind(socket) => socket.set_receive_buffer(bytes),)+
                }
            }

            fn detach(self) -> io::Result<DetachedSocket> {
                Ok(match self {
                    $($(#[$gate])* Self::$kind(socket) => DetachedSocket::$kind(socket.detach()?),)+
                })
            }

            fn attach(detached: DetachedSocket) -> io::Result<Self> {
                Ok(match detached {
                    $($(#[$gate])* DetachedSocket::$kind(socket) => Self::$kind(Socket::attach(socket)?),)+
                })
            }
        }
    };
}

kinds! {
    Tcp(tokio::net::TcpStream, std::net::TcpStream),
    Tls(TlsSocket, DetachedTls),
    #[cfg(test)]
    Unix(tokio::net::UnixStream, std::os::unix::net::UnixStream),
}
