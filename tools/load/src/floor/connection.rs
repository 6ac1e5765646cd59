//! One socket of the floor.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};

use mio::net::TcpStream;

/// What a read brought.
#[derive(Debug)]
pub(super) enum Filled {
    /// So many octets, those kept from before included; perhaps there are more.
    Some {
        /// Octets in the buffer.
        filled: usize,
        /// Whether the buffer was filled to its end.
        more: bool,
    },
    /// The socket ended.
    Gone,
}

/// A connection's state: its socket, its room, and what could not be handled or written yet.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) upgraded: bool,
    pub(super) room: Option<Box<[u8]>>,
    socket: TcpStream,
    partial: Vec<u8>,
    outbox: Vec<u8>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { upgraded: false, room: None, socket, partial: Vec::new(), outbox: Vec::new() }
    }

    /// Reads once, behind what was kept. A short read means that the socket is empty (epoll(7), edge-triggered).
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Filled {
        let kept = self.partial.len();
        buffer[..kept].copy_from_slice(&self.partial);
        // Given back at once: an idle connection holds no buffer.
        self.partial = Vec::new();
        let room = buffer.len() - kept;
        loop {
            match self.socket.read(&mut buffer[kept..]) {
                Ok(0) => return Filled::Gone,
                Ok(n) => return Filled::Some { filled: kept + n, more: n == room },
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Filled::Some { filled: kept, more: false },
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Filled::Gone,
            }
        }
    }

    /// Keeps an incomplete frame for the next read.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        self.partial.extend_from_slice(rest);
    }

    /// Writes all parts in one call; what the socket does not take waits.
    pub(super) fn write(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let mut taken = 0;
        if self.outbox.is_empty() {
            taken = match parts {
                [one] => written(self.socket.write(one))?,
                many => {
                    let slices: Vec<IoSlice<'_>> = many.iter().map(|p| IoSlice::new(p)).collect();
                    written(self.socket.write_vectored(&slices))?
                }
            };
        }
        for part in parts {
            let skip = taken.min(part.len());
            taken -= skip;
            self.outbox.extend_from_slice(&part[skip..]);
        }
        Ok(())
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            match written(self.socket.write(&self.outbox))? {
                0 => return Ok(()),
                n => drop(self.outbox.drain(..n)),
            }
        }
        self.outbox = Vec::new();
        Ok(())
    }
}

/// A jam, or a signal, is nothing written; the event that follows tries again.
fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}
