//! The queue between the threads that log and the one that writes: a reader that stops reading must never stop an
//! arbiter.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Event, line, local::LINES_DROPPED};

/// Lines are gathered up to about this many octets, then written with one write.
const BATCH: usize = 64 * 1024;

/// The sending end.
pub(super) struct Queue {
    lines: SyncSender<Vec<u8>>,
    progress: Arc<Progress>,
}

/// How far both ends are.
#[derive(Default)]
struct Progress {
    queued: AtomicU64,
    dropped: AtomicU64,
    written: Mutex<u64>,
    wrote: Condvar,
}

impl Queue {
    /// Starts a thread that writes to `out`. It ends when the queue is dropped.
    pub(super) fn start(out: impl Write + Send + 'static, capacity: usize) -> io::Result<Self> {
        let (lines, queue) = sync_channel(capacity);
        let progress = Arc::new(Progress::default());
        let theirs = Arc::clone(&progress);
        thread::Builder::new().name("log-writer".into()).spawn(move || write_all(&queue, out, &theirs))?;
        Ok(Self { lines, progress })
    }

    /// Queues a line, or drops and counts it if there is no room.
    pub(super) fn push(&self, line: Vec<u8>) {
        if self.lines.try_send(line).is_ok() {
            self.progress.queued.fetch_add(1, Ordering::Release);
        } else {
            self.progress.dropped.fetch_add(1, Ordering::Relaxed);
            LINES_DROPPED.add(1);
        }
    }

    /// Waits until what this thread has queued is written, at most that long.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let goal = self.progress.queued.load(Ordering::Acquire);
        let deadline = Instant::now() + at_most;
        let mut written = self.progress.written.lock().unwrap_or_else(PoisonError::into_inner);
        while *written < goal {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.progress.wrote.wait_timeout(written, left);
            written = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

fn write_all(queue: &Receiver<Vec<u8>>, mut out: impl Write, progress: &Progress) {
    let mut batch = Vec::new();
    while let Ok(first) = queue.recv() {
        let lines = gather(&mut batch, &first, queue);
        if let Some(gap) = gap(progress) {
            batch.extend_from_slice(&gap);
        }
        // A reader that is gone for good (EPIPE) is no reason to end a server: the lines are lost, and counted.
        if out.write_all(&batch).and_then(|()| out.flush()).is_err() {
            LINES_DROPPED.add(lines);
        }
        *progress.written.lock().unwrap_or_else(PoisonError::into_inner) += lines;
        progress.wrote.notify_all();
        batch.clear();
        batch.shrink_to(BATCH);
    }
}

/// Appends `first` and what waits behind it; says how many lines that is.
fn gather(batch: &mut Vec<u8>, first: &[u8], queue: &Receiver<Vec<u8>>) -> u64 {
    batch.extend_from_slice(first);
    let mut lines = 1;
    while batch.len() < BATCH {
        let Ok(line) = queue.try_recv() else { break };
        batch.extend_from_slice(&line);
        lines += 1;
    }
    lines
}

/// A line that says how many are missing, so that whoever reads the log knows it.
fn gap(progress: &Progress) -> Option<Vec<u8>> {
    let lines = progress.dropped.swap(0, Ordering::Relaxed);
    if lines == 0 { None } else { line::format(&Event::LogLinesDropped { lines }, None) }
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
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            // Without a permit-giver it flows freely.
            let _ = self.permits.recv();
            self.written.send(octets.to_vec()).map_err(io::Error::other)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stops_costs_lines_and_nobodys_time() {
        let (permit, permits) = mpsc::channel();
        let (written, seen) = mpsc::channel();
        let queue = Queue::start(Jammed { permits, written }, 4).expect("a thread");
        // Returns: nothing of it waits for the writer, which waits for a permit.
        for n in 0..1000 {
            queue.push(format!("line {n}\n").into_bytes());
        }
        assert!(!queue.flush(Duration::from_millis(1)), "nothing is written yet");
        let dropped = 1000 - queue.progress.queued.load(Ordering::Relaxed);
        assert!(dropped > 0);
        drop(permit);
        assert!(queue.flush(SOON), "what was queued is written");
        queue.push(b"after\n".to_vec());
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
        let queue = Queue::start(Jammed { permits, written }, 100).expect("a thread");
        for n in 0..100 {
            queue.push(format!("{n}\n").into_bytes());
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
        let queue = Queue::start(Jammed { permits, written }, 4).expect("a thread");
        for _ in 0..3 {
            queue.push(b"line\n".to_vec());
            assert!(queue.flush(SOON), "its lines count as dealt with");
        }
    }
}
