//! One peer: its socket, what waits to be written, what was read of a frame so far.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    time::Duration,
};

use mio::net::TcpStream;
use socket2::SockRef;

use super::secure::Session;
use crate::{
    dialect::{Identity, Name},
    ws::frame::{self, Opcode},
};

/// How far a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The TCP handshake is under way.
    Connecting,
    /// The upgrade was asked for.
    Upgrading,
    /// The socket is open, the room is not.
    Joining,
    /// In its room.
    Joined,
    /// On its way out.
    Leaving,
    /// Without a socket.
    Ended,
}

/// The ways out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The dialect's goodbye, then a close frame.
    Leave,
    /// A close frame.
    Close,
    /// A reset, as when a network fails.
    Kill,
}

/// What became of an attempt to move bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// Nothing more can be moved for now.
    Drained,
    /// There may be more.
    Filled,
    /// The socket is of no use any more.
    Gone,
}

/// A peer's state. Its receive buffer holds only what is left of an incomplete frame, so an idle one costs little.
#[derive(Debug)]
pub struct Peer {
    /// Room and name.
    pub identity: Identity,
    /// How far it is.
    pub phase: Phase,
    /// When its socket was opened.
    pub opened_at: u64,
    pub(super) socket: Option<TcpStream>,
    /// Where TLS is spoken: between the socket and all else.
    pub(super) secure: Option<Session>,
    pub(super) sent: u32,
    /// The last number received, by the sender's seat in the room.
    pub(super) received: Box<[u32]>,
    /// Frames since `joined` that a client which could come back would acknowledge.
    pub(super) handled: u32,
    pub(super) partial: Vec<u8>,
    pub(super) dirty: bool,
    outbox: Vec<u8>,
    written: usize,
}

impl Peer {
    pub(super) fn new(identity: Identity, room_size: u32) -> Self {
        Self {
            identity,
            phase: Phase::Ended,
            opened_at: 0,
            socket: None,
            secure: None,
            sent: 0,
            received: vec![0; room_size as usize].into(),
            handled: 0,
            partial: Vec::new(),
            dirty: false,
            outbox: Vec::new(),
            written: 0,
        }
    }

    /// Makes a new peer of it, about to connect.
    pub(super) fn reset(&mut self, now: u64) {
        self.identity.generation += 1;
        self.identity.name = Name::new(self.identity.chosen_name().as_bytes()).unwrap_or(Name::NONE);
        self.phase = Phase::Connecting;
        self.opened_at = now;
        // `sent` goes on and `received` stays: what is new to the server still has growing numbers.
        self.handled = 0;
        self.partial = Vec::new();
        self.outbox.clear();
        self.written = 0;
    }

    /// Appends one frame to what waits to be written.
    pub(super) fn queue(&mut self, opcode: Opcode, payload: &[u8]) {
        frame::append_masked(&mut self.outbox, opcode, payload);
    }

    /// Appends bytes that are no frame: the upgrade request.
    pub(super) fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Writes what waits, as far as the socket takes it; the number of bytes it took.
    pub(super) fn flush(&mut self) -> Result<usize, std::io::Error> {
        let Some(socket) = self.socket.as_mut() else { return Ok(0) };
        if let Some(secure) = &mut self.secure {
            secure.write(socket, &self.outbox)?;
            let moved = self.outbox.len();
            self.outbox.clear();
            return Ok(moved);
        }
        let before = self.written;
        while self.written < self.outbox.len() {
            match socket.write(&self.outbox[self.written..]) {
                Ok(n) => self.written += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(self.written - before),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        let moved = self.written - before;
        self.outbox.clear();
        self.written = 0;
        Ok(moved)
    }

    /// Reads into `buffer` from `at` on. A short read says that the socket is empty (epoll(7), edge-triggered), which
    /// spares the read that would only say so.
    pub(super) fn read(&mut self, buffer: &mut [u8], at: usize) -> (usize, Moved) {
        let Some(socket) = self.socket.as_mut() else { return (0, Moved::Gone) };
        if let Some(secure) = &mut self.secure {
            return secure.read(socket, &mut buffer[at..]);
        }
        let room = buffer.len() - at;
        loop {
            match socket.read(&mut buffer[at..]) {
                Ok(0) => return (0, Moved::Gone),
                Ok(n) if n < room => return (n, Moved::Drained),
                Ok(n) => return (n, Moved::Filled),
                // Not connected: an event of the former socket of a peer that was opened again.
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return (0, Moved::Drained);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return (0, Moved::Gone),
            }
        }
    }

    /// Lets the coming close be a reset.
    pub(super) fn reset_connection(&mut self) {
        if let Some(socket) = &self.socket {
            // Should it fail, the close is an ordinary one: the server sees an end without a close frame either way.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
}
