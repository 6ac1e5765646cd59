//! The floor: the least that a relay with Switchboard's wire can do, as a yardstick.
//!
//! One thread, one epoll, no runtime. A directed signal costs one read, one unmasking, one comparison of fixed offsets,
//! one rewriting of its head in place, one write; frames for one receiver that came in one read leave in one write. It
//! puts the same octets on the wire as Switchboard, both ways, and does nothing else: it checks neither JSON nor names,
//! limits nothing, logs nothing, counts nothing, and must never be given a client that is not the generator.

mod connection;
mod relay;
mod texts;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Socket, Type};

use crate::wire::{
    frame::{Head, Opcode, append_plain},
    handshake, mask,
};
use connection::{Connection, Filled};
use relay::{Addressed, Forward};

/// The listener's token; connections have their index.
const LISTENER: Token = Token(usize::MAX);
/// One buffer for all connections, as large as a read can be.
const BUFFER: usize = 256 << 10;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How often the ping sweep looks round.
const SWEEP: Duration = Duration::from_secs(1);

/// How the floor is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where to listen.
    pub address: SocketAddr,
    /// Seconds between two pings of one connection; 0 for none.
    pub ping: u64,
}

/// A floor that listens.
#[derive(Debug)]
pub struct Floor {
    poll: Poll,
    listener: TcpListener,
    options: Options,
    connections: Vec<Option<Connection>>,
    free: Vec<u32>,
    rooms: HashMap<Box<[u8]>, Vec<u32>>,
}

impl Floor {
    /// Listens.
    ///
    /// # Errors
    /// The address is taken, or epoll failed.
    pub fn bind(options: Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let socket = Socket::new(Domain::for_address(options.address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&options.address.into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { poll, listener, options, connections: Vec::new(), free: Vec::new(), rooms: HashMap::new() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// The listener or epoll failed.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER];
        let (mut swept, mut second) = (Instant::now(), 0);
        loop {
            match self.poll.poll(&mut events, Some(SWEEP)) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => {}
            }
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let who = event.token().0 as u32;
                if event.is_writable() {
                    self.flush(who);
                }
                if event.is_readable() {
                    self.readable(who, &mut buffer);
                }
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                second += 1;
                self.ping(second);
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // A client that is gone already, or descriptors at their limit: the next may do better.
                Err(_) => continue,
            };
            let who = self.free.pop().unwrap_or(self.connections.len() as u32);
            // An error means that the client is gone; its first read will say so.
            let _ = socket.set_nodelay(true);
            self.poll.registry().register(&mut socket, Token(who as usize), Interest::READABLE | Interest::WRITABLE)?;
            self.place(who, socket);
        }
    }

    fn place(&mut self, who: u32, socket: TcpStream) {
        let connection = Some(Connection::new(socket));
        match self.connections.get_mut(who as usize) {
            Some(seat) => *seat = connection,
            None => self.connections.push(connection),
        }
    }

    fn get(&mut self, who: u32) -> Option<&mut Connection> {
        self.connections.get_mut(who as usize)?.as_mut()
    }

    fn flush(&mut self, who: u32) {
        if self.get(who).is_some_and(|c| c.flush().is_err()) {
            self.end(who, "disconnected");
        }
    }

    fn write(&mut self, who: u32, parts: &[&[u8]]) {
        if self.get(who).is_some_and(|c| c.write(parts).is_err()) {
            self.end(who, "disconnected");
        }
    }

    fn readable(&mut self, who: u32, buffer: &mut [u8]) {
        while let Some(connection) = self.get(who) {
            let (filled, more) = match connection.read(buffer) {
                Filled::Some { filled, more } => (filled, more),
                Filled::Gone => return self.end(who, "disconnected"),
            };
            let used = self.consume(who, &mut buffer[..filled]);
            if let Some(connection) = self.get(who) {
                connection.keep(&buffer[used..filled]);
            }
            if !more {
                return;
            }
        }
    }

    /// Handles all whole frames; how many octets they had.
    fn consume(&mut self, who: u32, octets: &mut [u8]) -> usize {
        if self.get(who).is_some_and(|c| !c.upgraded) {
            return self.upgrade(who, octets);
        }
        let mut used = 0;
        // Frames for one receiver, from here to the next for another, leave in one write.
        let mut forward = Forward::default();
        while let Ok(Some(head)) = Head::parse(&octets[used..]) {
            let end = used + head.total();
            if end > octets.len() {
                break;
            }
            let start = used + head.head;
            mask::apply(&mut octets[start..end], head.key.unwrap_or_default());
            match head.opcode {
                Opcode::Text => self.text(who, octets, start..end, &mut forward),
                Opcode::Close => {
                    self.send(&mut forward, octets);
                    self.close(who, &octets[start..end]);
                    return octets.len();
                }
                _ => {}
            }
            used = end;
        }
        self.send(&mut forward, octets);
        used
    }

    fn upgrade(&mut self, who: u32, octets: &[u8]) -> usize {
        let Ok(Some(end)) = handshake::head_length(octets) else { return 0 };
        let Some(nonce) = handshake::nonce(&octets[..end]) else { return 0 };
        let mut out = texts::switching(nonce);
        append_plain(&mut out, Opcode::Text, texts::welcome(who).as_bytes());
        if let Some(connection) = self.get(who) {
            connection.upgraded = true;
        }
        self.write(who, &[&out]);
        end
    }

    fn text(&mut self, who: u32, octets: &mut [u8], text: std::ops::Range<usize>, forward: &mut Forward) {
        match relay::address(&octets[text.clone()]) {
            Addressed::Peer(to) => {
                if !forward.is_for(to) {
                    self.send(forward, octets);
                }
                let frame = relay::rewrite(octets, text, &texts::peer_id(who));
                forward.add(to, frame);
            }
            Addressed::Room => {
                self.send(forward, octets);
                self.broadcast(who, &octets[text]);
            }
            Addressed::Join => {
                self.send(forward, octets);
                self.join(who, texts::room_of(&octets[text]));
            }
            Addressed::Leave => self.leave(who, "left"),
        }
    }

    fn send(&mut self, forward: &mut Forward, octets: &[u8]) {
        if let Some(to) = forward.to() {
            let parts: Vec<&[u8]> = forward.frames().map(|f| &octets[f]).collect();
            self.write(to, &parts);
        }
        forward.clear();
    }

    fn broadcast(&mut self, who: u32, text: &[u8]) {
        let mut out = Vec::with_capacity(text.len() + 64);
        append_plain(&mut out, Opcode::Text, &relay::broadcast_text(text, &texts::peer_id(who)));
        for member in self.others(who) {
            self.write(member, &[&out]);
        }
    }

    fn others(&mut self, who: u32) -> Vec<u32> {
        let room = self.get(who).and_then(|c| c.room.clone());
        let members = room.and_then(|r| self.rooms.get(&r)).map_or(&[][..], Vec::as_slice);
        members.iter().copied().filter(|m| *m != who).collect()
    }

    fn join(&mut self, who: u32, room: &[u8]) {
        let Some(connection) = self.get(who) else { return };
        connection.room = Some(room.into());
        let members = self.rooms.entry(room.into()).or_default();
        let others = members.clone();
        members.push(who);
        let (mut joined, mut came) = (Vec::new(), Vec::new());
        append_plain(&mut joined, Opcode::Text, texts::joined(who, room, &others).as_bytes());
        append_plain(&mut came, Opcode::Text, texts::peer_joined(who).as_bytes());
        for member in others {
            self.write(member, &[&came]);
        }
        self.write(who, &[&joined]);
    }

    fn leave(&mut self, who: u32, reason: &str) {
        let others = self.others(who);
        let Some(room) = self.get(who).and_then(|c| c.room.take()) else { return };
        if others.is_empty() {
            self.rooms.remove(&room);
        } else if let Some(members) = self.rooms.get_mut(&room) {
            members.retain(|m| *m != who);
        }
        let mut left = Vec::new();
        append_plain(&mut left, Opcode::Text, texts::peer_left(who, reason).as_bytes());
        for member in others {
            self.write(member, &[&left]);
        }
    }

    /// Answers a close frame with the same.
    fn close(&mut self, who: u32, payload: &[u8]) {
        let mut out = Vec::new();
        append_plain(&mut out, Opcode::Close, payload);
        self.write(who, &[&out]);
        self.end(who, "left");
    }

    fn end(&mut self, who: u32, reason: &str) {
        self.leave(who, reason);
        // Dropping the socket closes it and takes it out of epoll.
        if self.connections.get_mut(who as usize).and_then(Option::take).is_some() {
            self.free.push(who);
        }
    }

    /// Pings those whose second it is: all of them in each interval, evenly spread.
    fn ping(&mut self, second: u64) {
        let interval = self.options.ping;
        let Some(phase) = second.checked_rem(interval) else { return };
        let mut ping = Vec::new();
        append_plain(&mut ping, Opcode::Ping, b"");
        for who in (0..self.connections.len() as u32).filter(|w| u64::from(*w) % interval == phase) {
            // Before the answer to its upgrade, a ping would be no frame but noise.
            if self.get(who).is_some_and(|c| c.upgraded) {
                self.write(who, &[&ping]);
            }
        }
    }
}
