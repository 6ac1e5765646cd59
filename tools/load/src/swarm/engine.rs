//! The event loop: one thread, one epoll, one timer.

use std::{io, time::Duration};

use mio::{Events, Interest, Poll, Token, unix::SourceFd};
use rustix::{
    fd::{AsRawFd as _, OwnedFd},
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime},
};

use super::{Note, Phase, Setup, Swarm, clock::SECOND, peer::Moved};
use crate::{
    report::progress::Progress,
    ws::{
        frame::{Head, Opcode},
        handshake,
    },
};

/// More than one socket buffer's worth, so that a read is mostly a short one.
const BUFFER: usize = 512 << 10;
/// The timer's token; peers have their index.
const TIMER: Token = Token(usize::MAX);
/// The loop wakes at least this often, for heartbeats, the progress bar and the deadline.
const TICK: u64 = SECOND / 20;

/// What a scenario wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To be called when something happens.
    Wait,
    /// To be called at this time at the latest.
    At(u64),
    /// Nothing more.
    Done,
}

/// Why [`Engine::run`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The scenario was done.
    Done,
    /// The time was up.
    TimeUp,
}

/// What the peers do. Called from the loop; must not block.
pub trait Script {
    /// Something happened to `who`.
    fn note(&mut self, swarm: &mut Swarm, who: u32, note: &Note);
    /// Called in each turn of the loop: do what is due at `now`.
    fn step(&mut self, swarm: &mut Swarm, now: u64) -> Next;
    /// How far it is, for the bar: a share between 0 and 1, and words.
    fn progress(&self, _swarm: &Swarm) -> Option<(f64, String)> {
        None
    }
}

/// The loop and its swarm.
#[derive(Debug)]
pub struct Engine {
    /// The peers.
    pub swarm: Swarm,
    /// What the user sees.
    pub progress: Progress,
    poll: Poll,
    events: Events,
    timer: OwnedFd,
    armed: u64,
    buffer: Vec<u8>,
    spin: bool,
    beats: f64,
    last_turn: u64,
}

impl Engine {
    /// `spin` polls without sleeping: the generator's wake-ups then add nothing to latencies, at the price of a core.
    pub fn new(setup: Setup, spin: bool) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let registry = poll.registry().try_clone()?;
        Ok(Self {
            swarm: Swarm::new(setup, registry),
            progress: Progress::on_stderr(),
            poll,
            events: Events::with_capacity(1024),
            timer,
            armed: 0,
            buffer: vec![0; BUFFER],
            spin,
            beats: 0.0,
            last_turn: 0,
        })
    }

    /// Runs `script` until it is done or `seconds` have passed.
    pub fn run(&mut self, script: &mut dyn Script, seconds: f64) -> io::Result<Stop> {
        let until = self.swarm.clock.now() + (seconds * SECOND as f64) as u64;
        loop {
            let now = self.swarm.clock.now();
            let next = script.step(&mut self.swarm, now);
            self.deliver_notes(script);
            self.beat(now);
            self.flush();
            self.progress.show(now, || script.progress(&self.swarm));
            match next {
                Next::Done => return Ok(Stop::Done),
                _ if now >= until => return Ok(Stop::TimeUp),
                Next::At(at) => self.sleep(now, at.min(until))?,
                Next::Wait => self.sleep(now, until)?,
            }
            self.turn(script);
        }
    }

    /// Waits for sockets until `at`, a tick at most.
    fn sleep(&mut self, now: u64, at: u64) -> io::Result<()> {
        let wait = at.saturating_sub(now).min(TICK);
        let timeout = if self.spin || wait == 0 { Duration::ZERO } else { Duration::from_nanos(TICK) };
        // epoll counts in milliseconds; what is due sooner than a tick needs the timer.
        if !timeout.is_zero() && wait < TICK && self.armed != at {
            self.arm(wait)?;
            self.armed = at;
        }
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    fn arm(&self, wait: u64) -> io::Result<()> {
        let value = Timespec { tv_sec: (wait / SECOND).cast_signed(), tv_nsec: (wait % SECOND).cast_signed() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Handles all that epoll reported.
    fn turn(&mut self, script: &mut dyn Script) {
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            if event.token() == TIMER {
                self.armed = 0;
                continue;
            }
            let who = event.token().0 as u32;
            if event.is_writable() {
                self.writable(who);
            }
            if event.is_readable() || event.is_error() {
                self.readable(who);
            }
            self.deliver_notes(script);
            self.flush();
        }
        self.events = events;
    }

    /// Tells the script what happened, until nothing more does.
    fn deliver_notes(&mut self, script: &mut dyn Script) {
        while let Some((who, note)) = self.swarm.notes.pop_front() {
            script.note(&mut self.swarm, who, &note);
        }
    }

    /// The client's own heartbeats, spread evenly: as many as the time since the last turn asks for.
    fn beat(&mut self, now: u64) {
        let elapsed = now - std::mem::replace(&mut self.last_turn, now);
        if !self.swarm.traits().client_beats || self.swarm.setup.beat == 0 {
            return;
        }
        let peers = f64::from(self.swarm.len());
        let before = self.beats as u64;
        self.beats += peers * elapsed as f64 / self.swarm.setup.beat as f64;
        // After a long pause once for each peer is enough.
        for beat in before.max((self.beats as u64).saturating_sub(u64::from(self.swarm.len())))..self.beats as u64 {
            self.swarm.beat((beat % u64::from(self.swarm.len())) as u32);
        }
    }

    fn flush(&mut self) {
        while let Some(who) = self.swarm.dirty.pop() {
            self.swarm.peers[who as usize].dirty = false;
            self.flush_one(who);
        }
    }

    fn flush_one(&mut self, who: u32) {
        let peer = &mut self.swarm.peers[who as usize];
        if peer.phase == Phase::Connecting {
            return;
        }
        match peer.flush() {
            Ok(moved) => self.swarm.tally.bytes_out += moved as u64,
            Err(_) => self.swarm.end(who),
        }
    }

    fn writable(&mut self, who: u32) {
        let target = self.swarm.setup.target;
        let peer = &mut self.swarm.peers[who as usize];
        if peer.phase == Phase::Connecting {
            let Some(socket) = &peer.socket else { return };
            if socket.peer_addr().is_err() {
                // Refused: the read that follows says so.
                return;
            }
            peer.phase = Phase::Upgrading;
            let path = self.swarm.dialect.path(&peer.identity);
            handshake::request(peer.outbox(), target, &path, self.swarm.dialect.protocol());
        }
        self.flush_one(who);
    }

    fn readable(&mut self, who: u32) {
        loop {
            let peer = &mut self.swarm.peers[who as usize];
            let carried = peer.partial.len();
            if self.buffer.len() < carried + BUFFER / 2 {
                self.buffer.resize(carried + BUFFER, 0);
            }
            self.buffer[..carried].copy_from_slice(&peer.partial);
            peer.partial.clear();
            let (read, moved) = peer.read(&mut self.buffer, carried);
            self.swarm.tally.bytes_in += read as u64;
            let filled = carried + read;
            let used = self.consume(who, filled);
            if used < filled {
                self.swarm.peers[who as usize].partial.extend_from_slice(&self.buffer[used..filled]);
            }
            match moved {
                Moved::Filled => {}
                Moved::Drained => return,
                Moved::Gone => return self.swarm.end(who),
            }
        }
    }

    /// Takes whole frames out of the first `filled` bytes of the buffer; how many bytes they had.
    fn consume(&mut self, who: u32, filled: usize) -> usize {
        let mut used = 0;
        if self.swarm.peers[who as usize].phase == Phase::Upgrading {
            match handshake::response(&self.buffer[..filled]) {
                Ok(Some(head)) => {
                    used = head;
                    self.swarm.opened(who);
                }
                Ok(None) => return 0,
                Err(error) => {
                    self.swarm.tally.trouble(&error.to_string());
                    self.swarm.end(who);
                    return filled;
                }
            }
        }
        while used < filled {
            match Head::parse(&self.buffer[used..filled]) {
                Ok(Some(head)) if used + head.total() <= filled => {
                    let start = used + head.head;
                    used += head.total();
                    self.frame(who, head, start..used);
                }
                Ok(_) => break,
                Err(error) => {
                    self.swarm.tally.trouble(&error.to_string());
                    self.swarm.end(who);
                    return filled;
                }
            }
        }
        used
    }

    fn frame(&mut self, who: u32, head: Head, payload: std::ops::Range<usize>) {
        let payload = &self.buffer[payload];
        match head.opcode {
            Opcode::Text if head.last => self.swarm.receive(who, payload),
            Opcode::Ping => {
                self.swarm.peers[who as usize].queue(Opcode::Pong, payload);
                self.swarm.mark(who);
            }
            Opcode::Pong => {}
            Opcode::Close => self.closed(who, payload.to_vec()),
            // No server here has reason to fragment or to send binary.
            Opcode::Text | Opcode::Binary | Opcode::Continuation => self.swarm.tally.unknown(b"a fragment, or binary"),
        }
    }

    /// A close frame came: the answer to ours, or the server's own wish, which is answered.
    fn closed(&mut self, who: u32, mut payload: Vec<u8>) {
        if self.swarm.peers[who as usize].phase != Phase::Leaving {
            payload.truncate(2);
            let code = payload.iter().fold(0u32, |n, o| (n << 8) | u32::from(*o));
            self.swarm.tally.trouble(&format!("closed by the server with {code}"));
            self.swarm.peers[who as usize].queue(Opcode::Close, &payload);
            self.flush_one(who);
        }
        self.swarm.end(who);
    }
}
