//! One direction of a connection.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::faults::{Ending, Faults};

/// Bytes that are under way at most: beyond, the sender is slowed down by TCP, as by a real network's buffers.
const UNDER_WAY: usize = 256 * 1024;
/// Bytes read at once.
const PIECE: usize = 16 * 1024;
/// With a rate, so often a second bytes pass.
const BEATS: u32 = 50;

/// Bytes that were read, and when they are to arrive.
struct Piece {
    due: Instant,
    bytes: Vec<u8>,
    passed: usize,
}

pub(crate) struct Pipe<'l> {
    from: &'l TcpStream,
    to: &'l TcpStream,
    control: &'l watch::Sender<Faults>,
    pieces: VecDeque<Piece>,
    under_way: usize,
    /// The sender has said FIN.
    finished: bool,
    /// With a rate: when bytes may pass again.
    next: Instant,
}

impl<'l> Pipe<'l> {
    pub(crate) fn new(from: &'l TcpStream, to: &'l TcpStream, control: &'l watch::Sender<Faults>) -> Self {
        Self { from, to, control, pieces: VecDeque::new(), under_way: 0, finished: false, next: Instant::now() }
    }

    /// Carries bytes until the sender's FIN was passed on. `Err`: the whole connection is to end.
    pub(crate) async fn run(mut self) -> Result<(), Ending> {
        let mut changes = self.control.subscribe();
        loop {
            let faults = *changes.borrow_and_update();
            if let Some(cut) = faults.cut.filter(|cut| cut.after == 0) {
                return Err(cut.ending);
            }
            if faults.stalled {
                // The sender of changes is the line's: it outlives this.
                let _ = changes.changed().await;
                continue;
            }
            if self.finished && self.pieces.is_empty() {
                // It fails only where the receiver is gone, which the other direction finds out.
                let _ = SockRef::from(self.to).shutdown(std::net::Shutdown::Write);
                return Ok(());
            }
            let due = self.pieces.front().map(|piece| piece.due.max(self.next));
            let may_read = !self.finished && self.under_way < UNDER_WAY;
            tokio::select! {
                _ = changes.changed() => {}
                read = self.from.readable(), if may_read => self.read(read, faults.delay)?,
                written = self.writable(due), if due.is_some() => self.write(written, faults)?,
            }
        }
    }

    async fn writable(&self, due: Option<Instant>) -> io::Result<()> {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        self.to.writable().await
    }

    fn read(&mut self, ready: io::Result<()>, delay: Duration) -> Result<(), Ending> {
        let mut bytes = vec![0; PIECE];
        match ready.and_then(|()| self.from.try_read(&mut bytes)) {
            Ok(0) => self.finished = true,
            Ok(read) => {
                bytes.truncate(read);
                self.under_way += read;
                self.pieces.push_back(Piece { due: Instant::now() + delay, bytes, passed: 0 });
            }
            Err(error) => harmless(&error)?,
        }
        Ok(())
    }

    fn write(&mut self, ready: io::Result<()>, faults: Faults) -> Result<(), Ending> {
        let Some(piece) = self.pieces.front_mut() else { return Ok(()) };
        let rest = &piece.bytes[piece.passed..];
        let most = faults.cut.map_or(usize::MAX, |cut| usize::try_from(cut.after).unwrap_or(usize::MAX));
        let beat = faults.rate.map(|rate| usize::try_from(rate.get() / BEATS).unwrap_or(usize::MAX).max(1));
        let most = rest.len().min(most).min(beat.unwrap_or(usize::MAX));
        let passed = match ready.and_then(|()| self.to.try_write(&rest[..most])) {
            Ok(passed) => passed,
            Err(error) => return harmless(&error),
        };
        piece.passed += passed;
        self.under_way -= passed;
        if piece.passed == piece.bytes.len() {
            self.pieces.pop_front();
        }
        if let Some(rate) = faults.rate {
            let share = f64::from(u32::try_from(passed).unwrap_or(u32::MAX)) / f64::from(rate.get());
            self.next = Instant::now() + Duration::from_secs_f64(share);
        }
        if faults.cut.is_some() {
            self.control.send_modify(|faults| {
                if let Some(cut) = &mut faults.cut {
                    cut.after = cut.after.saturating_sub(passed as u64);
                }
            });
        }
        Ok(())
    }
}

/// A socket that was not ready after all is none of the errors that end a connection. Whoever resets its side resets the
/// other, as without a proxy.
fn harmless(error: &io::Error) -> Result<(), Ending> {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(()),
        _ => Err(Ending::Reset),
    }
}

/// Reads until the other side hangs up.
pub(crate) async fn throw_away(socket: &TcpStream) {
    let mut bytes = vec![0; PIECE];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut bytes) {
            Ok(0) => return,
            Err(error) if harmless(&error).is_err() => return,
            _ => {}
        }
    }
}
