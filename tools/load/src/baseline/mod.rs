//! The baseline: the least that a relay with Switchboard's protocol can do, as a yardstick.
//!
//! One thread, one epoll, no runtime. All that epoll reports at once is one round: what is read in it stays where it was
//! read, in one buffer; a directed signal is unmasked there and its head rewritten in place, a text of the baseline's own is
//! appended; and at the end of the round each receiver gets all that is for it in one call, straight out of that buffer.
//! Nothing is queued unless the kernel is full, and an idle connection holds nothing but its entry in two tables.
//!
//! It puts the same bytes on the wire as Switchboard, both ways, and does nothing else: it checks neither JSON nor names,
//! limits nothing, logs nothing, counts nothing, and must never be given a client that is not the generator.

mod batch;
mod connection;
mod relay;
mod rooms;
mod texts;

use std::{
    io,
    net::SocketAddr,
    ops::Range,
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Socket, Type};
use switchboard::config::Settings;

use crate::ws::{
    frame::{Head, Opcode, append_plain},
    mask,
};
use batch::{Batch, Turn};
use connection::{Connection, Filled};
use relay::Addressed;
use rooms::Rooms;
use texts::Texts;

/// The listener's token; connections have their descriptor, which is their index, too.
const LISTENER: Token = Token(usize::MAX);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How often the ping sweep looks round.
const SWEEP: Duration = Duration::from_secs(1);

/// How the baseline is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Where to listen.
    pub address: SocketAddr,
    /// Seconds between two pings of one connection; 0 for none.
    pub ping: u64,
}

/// A baseline that listens.
#[derive(Debug)]
pub struct Baseline {
    poll: Poll,
    listener: TcpListener,
    options: Options,
    connections: Vec<Option<Connection>>,
    rooms: Rooms,
    batch: Batch,
    texts: Texts,
    /// Connections whose socket took nothing more, for good.
    dead: Vec<u32>,
}

impl Baseline {
    /// Listens, and welcomes its clients as a Switchboard with its default settings does.
    ///
    /// # Errors
    /// The address is taken, or epoll failed.
    pub fn bind(options: Options) -> io::Result<Self> {
        Self::bind_as(options, &Settings::default())
    }

    /// The same as one with these settings.
    ///
    /// # Errors
    /// The address is taken, or epoll failed.
    pub fn bind_as(options: Options, settings: &Settings) -> io::Result<Self> {
        let poll = Poll::new()?;
        let socket = Socket::new(Domain::for_address(options.address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit it.
        socket.set_tcp_nodelay(true)?;
        socket.bind(&options.address.into())?;
        socket.listen(BACKLOG)?;
        let mut listener = TcpListener::from_std(socket.into());
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            options,
            connections: Vec::new(),
            rooms: Rooms::default(),
            batch: Batch::new(),
            texts: Texts::new(settings),
            dead: Vec::new(),
        })
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
                // Asked for only while something waits.
                if event.is_writable() && self.get(who).is_some_and(|c| c.flush().is_err()) {
                    self.end(who, false);
                }
                if event.is_readable() {
                    self.readable(who);
                }
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                second += 1;
                self.ping(second);
            }
            self.finish_round();
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
            let who = socket.as_raw_fd().cast_unsigned();
            self.poll.registry().register(&mut socket, Token(who as usize), Interest::READABLE)?;
            self.place(who, socket);
        }
    }

    fn place(&mut self, who: u32, socket: TcpStream) {
        if self.connections.len() <= who as usize {
            self.connections.resize_with(who as usize + 1, || None);
        }
        self.connections[who as usize] = Some(Connection::new(socket));
    }

    fn get(&mut self, who: u32) -> Option<&mut Connection> {
        self.connections.get_mut(who as usize)?.as_mut()
    }

    /// Sends `bytes` of the batch at the end of the round.
    fn send(&mut self, to: u32, bytes: Range<usize>) {
        if let Some(Some(connection)) = self.connections.get_mut(to as usize) {
            self.batch.add(&mut connection.turn, to, bytes);
        }
    }

    /// Sends `bytes` of the batch to all others in the room.
    fn send_to_others(&mut self, who: u32, bytes: &Range<usize>) {
        let mut next = self.rooms.first_other(who);
        while let Some(member) = next {
            next = self.rooms.after(who, member);
            self.send(member, bytes.clone());
        }
    }

    /// Everybody gets what the round had for them.
    fn finish_round(&mut self) {
        while !self.batch.is_empty() {
            let mut n = 0;
            while let Some(who) = self.batch.receiver(n) {
                n += 1;
                if self.write(who).is_err() {
                    self.dead.push(who);
                }
            }
            self.batch.clear();
            // Who ends here is news to others: one more turn.
            while let Some(who) = self.dead.pop() {
                self.end(who, false);
            }
        }
        self.batch.clear();
    }

    /// One receiver gets what the round has had for it so far.
    fn write(&mut self, who: u32) -> io::Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(who as usize) else { return Ok(()) };
        let turn = std::mem::replace(&mut connection.turn, Turn::NONE);
        connection.write(who, self.poll.registry(), self.batch.pieces(turn))
    }

    fn readable(&mut self, who: u32) {
        loop {
            if self.batch.is_full() {
                self.finish_round();
            }
            let Some(Some(connection)) = self.connections.get_mut(who as usize) else { return };
            let (filled, more) = match connection.read(self.batch.space()) {
                Filled::Some { filled, more } => (filled, more),
                Filled::Gone => return self.end(who, false),
            };
            let bytes = self.batch.took(filled);
            let used = self.consume(who, bytes.clone());
            if let Some(Some(connection)) = self.connections.get_mut(who as usize) {
                connection.keep(&self.batch.bytes()[used..bytes.end]);
            }
            if !more {
                return;
            }
        }
    }

    /// Handles all whole frames; where they end.
    fn consume(&mut self, who: u32, bytes: Range<usize>) -> usize {
        if self.get(who).is_some_and(|c| !c.upgraded) {
            return bytes.start + self.upgrade(who, bytes);
        }
        let mut used = bytes.start;
        // Up to here, what was read is still needed.
        let mut kept = bytes.start;
        while let Ok(Some(head)) = Head::parse(&self.batch.bytes()[used..bytes.end]) {
            let end = used + head.total();
            if end > bytes.end {
                break;
            }
            let text = used + head.head..end;
            mask::apply(&mut self.batch.bytes()[text.clone()], head.key.unwrap_or_default());
            match head.opcode {
                Opcode::Text => kept = self.text(who, kept, text),
                Opcode::Close => {
                    self.close(who, text);
                    return bytes.end;
                }
                _ => {}
            }
            used = end;
        }
        used
    }

    fn upgrade(&mut self, who: u32, bytes: Range<usize>) -> usize {
        let Some((used, answer)) = self.texts.opening(who, &self.batch.bytes()[bytes]) else { return 0 };
        let answer = self.batch.append(answer);
        self.send(who, answer);
        if let Some(connection) = self.get(who) {
            connection.upgraded = true;
        }
        used
    }

    /// One text. What lies in front of its frame is needed up to `kept`; afterwards, up to where.
    fn text(&mut self, who: u32, kept: usize, text: Range<usize>) -> usize {
        match relay::address(&self.batch.bytes()[text.clone()]) {
            Addressed::Peer(to) => {
                let signal = relay::rewrite(self.batch.bytes(), text, &texts::peer_id(who));
                if let Some(Some(connection)) = self.connections.get_mut(to as usize) {
                    return self.batch.add_behind(&mut connection.turn, to, kept, signal);
                }
            }
            Addressed::Room => {
                let (start, head, rest) = relay::broadcast_start(text.len(), &texts::peer_id(who));
                let start = self.batch.append(&start[head..]).start;
                let end = self.batch.append_again(text.start + rest..text.end).end;
                self.send_to_others(who, &(start..end));
            }
            Addressed::Join => self.join(who, text),
            Addressed::Leave => self.leave(who, true),
        }
        kept
    }

    fn join(&mut self, who: u32, text: Range<usize>) {
        let room = texts::room_of(&self.batch.bytes()[text]);
        self.rooms.join(who, room);
        let others = std::iter::successors(self.rooms.first_other(who), |member| self.rooms.after(who, *member));
        let joined = self.texts.joined(who, room, others);
        let joined = self.batch.append(joined);
        self.send(who, joined);
        if self.rooms.first_other(who).is_some() {
            let news = self.batch.append(self.texts.peer_joined.of(who));
            self.send_to_others(who, &news);
        }
    }

    fn leave(&mut self, who: u32, goodbye: bool) {
        if self.rooms.first_other(who).is_some() {
            let news = if goodbye { &mut self.texts.peer_left } else { &mut self.texts.peer_lost };
            let news = self.batch.append(news.of(who));
            self.send_to_others(who, &news);
        }
        self.rooms.leave(who);
    }

    /// Answers a close frame with the same, and what came before it.
    fn close(&mut self, who: u32, payload: Range<usize>) {
        let mut frame = Vec::new();
        append_plain(&mut frame, Opcode::Close, &self.batch.bytes()[payload]);
        let frame = self.batch.append(&frame);
        self.send(who, frame);
        self.end(who, true);
    }

    fn end(&mut self, who: u32, goodbye: bool) {
        self.leave(who, goodbye);
        // Now, since the descriptor may be another connection's before the round is over. It ends either way.
        let _ = self.write(who);
        // Dropping the socket closes it and takes it out of epoll.
        if let Some(connection) = self.connections.get_mut(who as usize) {
            *connection = None;
        }
    }

    /// Pings those whose second it is: all of them in each interval, evenly spread.
    fn ping(&mut self, second: u64) {
        let interval = self.options.ping;
        let Some(phase) = second.checked_rem(interval) else { return };
        let ping = self.batch.append(&[0x89, 0]);
        for who in (phase as usize..self.connections.len()).step_by(interval as usize) {
            // Before the answer to its upgrade, a ping would be no frame but noise.
            if self.get(who as u32).is_some_and(|c| c.upgraded) {
                self.send(who as u32, ping.clone());
            }
        }
    }
}
