//! One socket of the baseline.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};

use mio::{Interest, Registry, Token, net::TcpStream};

use super::batch::Turn;

/// Pieces handed to the kernel in one call.
const SLICES: usize = 32;

/// What a read brought.
#[derive(Debug)]
pub(super) enum Filled {
    /// So many bytes, those kept from before included; perhaps there are more.
    Some {
        /// Bytes in the buffer.
        filled: usize,
        /// Whether the buffer was filled to its end.
        more: bool,
    },
    /// The socket ended.
    Gone,
}

/// A connection's state: its socket, and what could not be handled or written yet.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    pub(super) turn: Turn,
    pub(super) upgraded: bool,
    /// Few have any.
    waits: Option<Box<Waits>>,
}

#[derive(Debug, Default)]
struct Waits {
    /// An incomplete frame.
    partial: Vec<u8>,
    /// What the socket did not take.
    outbox: Vec<u8>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, turn: Turn::NONE, upgraded: false, waits: None }
    }

    /// Reads once, behind what was kept. A short read means that the socket is empty (epoll(7), edge-triggered).
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Filled {
        let kept = self.take_partial(buffer);
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

    fn take_partial(&mut self, buffer: &mut [u8]) -> usize {
        let Some(waits) = &mut self.waits else { return 0 };
        let partial = std::mem::take(&mut waits.partial);
        buffer[..partial.len()].copy_from_slice(&partial);
        // Given back at once: an idle connection holds nothing.
        if waits.outbox.is_empty() {
            self.waits = None;
        }
        partial.len()
    }

    /// Keeps an incomplete frame for the next read.
    pub(super) fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.waits.get_or_insert_default().partial.extend_from_slice(rest);
        }
    }

    /// Writes all pieces, in as few calls as may be.
    pub(super) fn write<'a>(
        &mut self,
        who: u32,
        registry: &Registry,
        mut pieces: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        loop {
            let mut parts = [&[][..]; SLICES];
            let mut used = 0;
            for (part, piece) in parts.iter_mut().zip(pieces.by_ref()) {
                *part = piece;
                used += 1;
            }
            match used {
                0 => return Ok(()),
                _ => self.write_parts(who, registry, &parts[..used])?,
            }
            if used < SLICES {
                return Ok(());
            }
        }
    }

    fn write_parts(&mut self, who: u32, registry: &Registry, parts: &[&[u8]]) -> io::Result<()> {
        let waits = self.waits.as_ref().is_some_and(|waits| !waits.outbox.is_empty());
        let taken = match parts {
            _ if waits => 0,
            [one] => written(self.socket.write(one))?,
            many => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                slices.iter_mut().zip(many).for_each(|(slice, part)| *slice = IoSlice::new(part));
                written(self.socket.write_vectored(&slices[..many.len()]))?
            }
        };
        if taken == parts.iter().map(|part| part.len()).sum::<usize>() {
            Ok(())
        } else {
            self.jam(who, registry, parts, taken)
        }
    }

    /// Keeps what the socket did not take; the event that follows tries again.
    #[cold]
    fn jam(&mut self, who: u32, registry: &Registry, parts: &[&[u8]], mut taken: usize) -> io::Result<()> {
        let outbox = &mut self.waits.get_or_insert_default().outbox;
        for part in parts {
            let skip = taken.min(part.len());
            taken -= skip;
            outbox.extend_from_slice(&part[skip..]);
        }
        registry.reregister(&mut self.socket, Token(who as usize), Interest::READABLE | Interest::WRITABLE)
    }

    /// Writes what waits, as far as the socket takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let Some(waits) = &mut self.waits else { return Ok(()) };
        while !waits.outbox.is_empty() {
            match written(self.socket.write(&waits.outbox))? {
                0 => return Ok(()),
                n => drop(waits.outbox.drain(..n)),
            }
        }
        if waits.partial.is_empty() {
            self.waits = None;
        }
        Ok(())
    }
}

/// A jam, or a signal, is nothing written.
fn written(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read,
        net::TcpListener,
        time::{Duration, Instant},
    };

    use mio::{Events, Poll};
    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_full_socket_loses_nothing_and_is_written_to_in_order_later() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        let (socket, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.set_nodelay(true).unwrap();
        SockRef::from(&socket).set_send_buffer_size(32 << 10).unwrap();
        let mut poll = Poll::new().unwrap();
        let mut socket = TcpStream::from_std(socket);
        poll.registry().register(&mut socket, Token(1), Interest::READABLE).unwrap();
        let mut connection = Connection::new(socket);
        // More pieces than one call takes, then one behind what waits.
        let pieces: Vec<Vec<u8>> = (0..100_u8).map(|n| vec![n; 8000]).collect();
        let (last, first) = pieces.split_last().unwrap();
        connection.write(1, poll.registry(), first.iter().map(Vec::as_slice)).unwrap();
        connection.write(1, poll.registry(), std::iter::once(last.as_slice())).unwrap();
        assert!(connection.waits.is_some(), "the kernel takes less");
        connection.keep(b"half a frame");
        let wanted = pieces.concat();
        let mut received = Vec::new();
        let mut part = vec![0; 64 << 10];
        let (mut events, began) = (Events::with_capacity(8), Instant::now());
        while received.len() < wanted.len() {
            assert!(began.elapsed() < Duration::from_secs(60), "{} of {} bytes came", received.len(), wanted.len());
            match client.read(&mut part) {
                Ok(read) => received.extend_from_slice(&part[..read]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            poll.poll(&mut events, Some(Duration::from_millis(10))).unwrap();
            if events.iter().any(mio::event::Event::is_writable) {
                connection.flush().unwrap();
            }
        }
        assert!(received == wanted);
        connection.flush().unwrap();
        let mut buffer = vec![0; 100];
        assert!(matches!(connection.read(&mut buffer), Filled::Some { filled: 12, more: false }));
        assert!(buffer.starts_with(b"half a frame") && connection.waits.is_none());
    }
}
