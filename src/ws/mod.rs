//! RFC 6455 over one socket: bytes to messages, frames to bytes, and how a connection ends. Knows nothing of rooms,
//! sessions or what the messages say.
//!
//! | file | what |
//! |---|---|
//! | `frame_header` | a frame's header, judged before its payload is waited for |
//! | `fragments` | a message that comes in several frames |
//! | `decoder` | bytes to messages, in any pieces. No socket |
//! | `error` | what may be wrong with a client's frames, and the close code that each means |
//! | `encode` | control frames |
//! | `outbox` | what waits to be written: counted, bounded by its owner |
//! | `socket` | what is asked of a socket; TCP |
//! | `tls_socket` | TLS over TCP |
//! | `any_socket` | a socket of any kind |
//! | `read_buffer` | one buffer per thread, lent for each read |
//! | `connection` | a socket with its outbox |
//! | `kernel_memory` | what the kernel holds for a socket |
//! | `traffic` | bytes read and written by this thread |
//! | `graceful_close` | last words, FIN, and the wait for the client to hang up |
mod any_socket;
#[cfg(test)]
mod conformance;
mod connection;
mod decoder;
mod encode;
mod error;
mod fragments;
mod frame_header;
mod graceful_close;
mod kernel_memory;
mod outbox;
mod read_buffer;
mod socket;
mod tls_socket;
pub(crate) mod traffic;
#[cfg(test)]
mod unix_socket;

pub use any_socket::{AnySocket, DetachedSocket};
pub(crate) use connection::{Connection, Discarded};
pub use decoder::Decoder;
#[cfg(feature = "echo")]
pub(crate) use encode::encode;
pub(crate) use encode::{PING, close_frame, pong_frame};
pub use error::FrameError;
pub use frame_header::Bound;
pub(crate) use graceful_close::close;
pub(crate) use outbox::{Flushed, QueueBound};
pub(crate) use read_buffer::READ;
pub(crate) use socket::Socket;
pub use tls_socket::{TlsError, TlsSocket};
