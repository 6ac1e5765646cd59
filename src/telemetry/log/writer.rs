//! The queue between the threads that log and the one that writes: a reader that stops reading must never stop an
//! arbiter.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use slog::OwnedKVList;

use super::{line, record};
use crate::telemetry::{counts::local::LINES_DROPPED, event::table::Event};

/// The writer sleeps at most this long on its first line, to take along what comes meanwhile: a wake-up and a write for
/// each line cost a sixth of a join.
const GATHER: Duration = Duration::from_millis(10);
/// With this many bytes at hand it writes at once.
const BATCH: usize = 64 * 1024;
/// How often what is written to is looked after, whether there are lines or not.
const TEND_EVERY: Duration = Duration::from_secs(5);

/// Where lines go.
pub(in crate::telemetry) trait Output: Write + Send + 'static {
    /// Whether there is something to look after.
    const TENDED: bool = true;

    /// Looks after it: called every few seconds.
    fn tend(&mut self) {}
}

/// Somebody else looks after that.
impl Output for io::Stdout {
    const TENDED: bool = false;
}

/// The sending end.
pub(in crate::telemetry) struct Queue(Arc<Shared>);

struct Shared {
    /// Most lines that may wait.
    capacity: usize,
    state: Mutex<QueueState>,
    /// For the writer: something waits, much of it, or somebody waits for it to be written.
    wake: Condvar,
    /// For who waits until it is.
    wrote: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// The lines that wait, one behind the other.
    waiting: Vec<u8>,
    lines: usize,
    /// Since the last line that told of it.
    dropped: u64,
    /// Lines ever queued.
    queued: u64,
    /// Of those, how many have been dealt with.
    written: u64,
    /// Up to which of them somebody waits: nothing is gathered until then.
    wanted: u64,
    closed: bool,
}

/// What the writer takes in one go.
struct Batch {
    lines: u64,
    dropped: u64,
}

impl Queue {
    /// Starts a thread that writes to `out`. It ends when the queue is dropped. `values` are those of every line, for the one
    /// that tells of lines that are missing.
    pub(in crate::telemetry) fn start(out: impl Output, capacity: usize, values: OwnedKVList) -> io::Result<Self> {
        let (wake, wrote) = (Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { capacity, state: Mutex::default(), wake, wrote });
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("log-writer".into()).spawn(move || write_all(&theirs, out, &values))?;
        Ok(Self(shared))
    }

    /// Queues a line, or drops and counts it if there is no room.
    pub(in crate::telemetry) fn push(&self, line: &[u8]) {
        let mut state = self.0.lock();
        if state.lines >= self.0.capacity {
            state.dropped += 1;
            drop(state);
            LINES_DROPPED.add(1);
            return;
        }
        let before = state.waiting.len();
        state.waiting.extend_from_slice(line);
        state.lines += 1;
        state.queued += 1;
        // The writer sleeps on an empty queue, or gathers; in between it needs no waking.
        let wake = before == 0 || (before < BATCH && state.waiting.len() >= BATCH);
        drop(state);
        if wake {
            self.0.wake.notify_one();
        }
    }

    /// Waits until what is queued now is written, at most that long.
    pub(in crate::telemetry) fn flush(&self, at_most: Duration) -> bool {
        let mut state = self.0.lock();
        let goal = state.queued;
        state.wanted = goal;
        self.0.wake.notify_one();
        let deadline = Instant::now() + at_most;
        while state.written < goal {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.0.wrote.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.wake.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for lines, at most that long, and swaps them for `batch`, which is empty. `None`: the queue is closed, and
    /// nothing is left.
    fn take(&self, batch: &mut Vec<u8>, at_most: Duration) -> Option<Batch> {
        let idle = |state: &mut QueueState| state.lines == 0 && !state.closed;
        let state = self.wake.wait_timeout_while(self.lock(), at_most, idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner).0;
        if state.lines > 0 {
            let few =
                |state: &mut QueueState| state.waiting.len() < BATCH && state.wanted <= state.written && !state.closed;
            let gathered = self.wake.wait_timeout_while(state, GATHER, few);
            state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        } else if state.closed {
            return None;
        }
        mem::swap(&mut state.waiting, batch);
        Some(Batch { lines: mem::take(&mut state.lines) as u64, dropped: mem::take(&mut state.dropped) })
    }
}

fn write_all<O: Output>(shared: &Shared, mut out: O, values: &OwnedKVList) {
    let mut bytes = Vec::new();
    let mut tended: Option<Instant> = None;
    let at_most = if O::TENDED { TEND_EVERY } else { Duration::MAX };
    while let Some(Batch { lines, dropped }) = shared.take(&mut bytes, at_most) {
        if dropped > 0 {
            // Whoever reads the log is to know that lines are missing, and how many.
            let event = Event::LogLinesDropped { lines: dropped };
            record::of(&event, None, |record| line::format(record, values, |gap| bytes.extend_from_slice(gap)));
        }
        // A reader that is gone for good (EPIPE) is no reason to end a server: the lines are lost, and counted.
        if !bytes.is_empty() && out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
            LINES_DROPPED.add(lines);
        }
        shared.lock().written += lines;
        shared.wrote.notify_all();
        bytes.clear();
        bytes.shrink_to(BATCH);
        if O::TENDED && tended.is_none_or(|at| at.elapsed() >= TEND_EVERY) {
            out.tend();
            tended = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Standard output whose reader takes one write per permit, and whose writes can be seen.
    struct Jammed {
        permits: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Jammed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without a permit-giver it flows freely.
            let _ = self.permits.recv();
            self.written.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Jammed {}

    /// Counts how often it was looked after.
    struct Tended(mpsc::Sender<()>);

    impl Write for Tended {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Tended {
        fn tend(&mut self) {
            let _ = self.0.send(());
        }
    }

    #[test]
    fn what_is_written_to_is_looked_after_while_nothing_is_written() {
        let (tended, times) = mpsc::channel();
        let queue = Queue::start(Tended(tended), 4, slog::OwnedKV(()).into()).expect("a thread");
        for _ in 0..2 {
            times.recv_timeout(SOON).expect("it is looked after");
        }
        drop(queue);
        while times.recv_timeout(SOON).is_ok() {}
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_nobodys_time() {
        let (permit, permits) = mpsc::channel();
        let (written, seen) = mpsc::channel();
        let queue = Queue::start(Jammed { permits, written }, 4, slog::OwnedKV(()).into()).expect("a thread");
        // Returns: nothing of it waits for the writer, which waits for a permit.
        for n in 0..1000 {
            queue.push(format!("line {n}\n").as_bytes());
        }
        assert!(!queue.flush(Duration::from_millis(1)), "nothing is written yet");
        let dropped = 1000 - queue.0.lock().queued;
        assert!(dropped > 0);
        drop(permit);
        assert!(queue.flush(SOON), "what was queued is written");
        queue.push(b"after\n");
        assert!(queue.flush(SOON));
        let text: Vec<u8> = seen.try_iter().flatten().collect();
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.starts_with("line 0\n") && text.contains("after\n"), "{text}");
        let told: u64 = text.lines().filter(|line| line.starts_with('{')).map(lines_of).sum();
        assert_eq!(told, dropped, "the log says how many are missing");
    }

    fn lines_of(gap: &str) -> u64 {
        let gap: serde_json::Value = serde_json::from_str(gap).expect("JSON");
        gap["lines"].as_u64().expect("a number")
    }

    #[test]
    fn what_waits_together_is_written_together_and_in_order() {
        let (permit, permits) = mpsc::channel();
        let (written, seen) = mpsc::channel();
        let queue = Queue::start(Jammed { permits, written }, 100, slog::OwnedKV(()).into()).expect("a thread");
        for n in 0..100 {
            queue.push(format!("{n}\n").as_bytes());
        }
        drop(permit);
        assert!(queue.flush(SOON));
        let writes: Vec<Vec<u8>> = seen.try_iter().collect();
        let expected: Vec<Vec<u8>> = (0..100).map(|n| format!("{n}\n").into_bytes()).collect();
        assert_eq!(writes.concat(), expected.concat());
        assert!(writes.len() <= 3, "{} writes", writes.len());
    }

    #[test]
    fn a_reader_that_is_gone_stops_nothing() {
        let (written, seen) = mpsc::channel();
        let (_, permits) = mpsc::channel();
        drop(seen);
        let queue = Queue::start(Jammed { permits, written }, 4, slog::OwnedKV(()).into()).expect("a thread");
        for _ in 0..3 {
            queue.push(b"line\n");
            assert!(queue.flush(SOON), "its lines count as dealt with");
        }
    }
}
