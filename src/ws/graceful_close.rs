//! The end of a socket that takes last words: what waits, a close frame, FIN, and then what still comes is thrown away
//! until the client hangs up. Closing a socket with unread bytes would reset it, and the last words with it.

use std::{
    future::{pending, poll_fn},
    io,
    time::Duration,
};

use bytes::Bytes;
use tokio::{task::yield_now, time::timeout};

use super::{
    connection::{Connection, Discarded},
    socket::Socket,
};

/// How long the last words may take, and how long the client may take to hang up after them. Then the socket is reset.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes thrown away in one turn.
const LINGER_READ: usize = 16 * 1024;
/// Bytes thrown away in all: what a client had on its way. One that still goes on is slowed by TCP, not read to the end.
const LINGER_MOST: usize = 1024 * 1024;

/// Sends the last message, if there is one, and the close frame, and waits for the client to hang up. What was discarded
/// if it did not.
pub(crate) async fn close<S: Socket>(
    mut connection: Connection<S>,
    last_message: Option<Bytes>,
    close_frame: Bytes,
) -> Discarded {
    if let Some(message) = last_message {
        connection.outbox.push(message);
    }
    connection.outbox.push(close_frame);
    match timeout(GRACE, finish(&mut connection)).await {
        Ok(Ok(()) | Err(_)) => Discarded::default(),
        Err(_) => connection.reset(),
    }
}

/// Ready when the client has hung up, or its socket has failed.
async fn finish<S: Socket>(connection: &mut Connection<S>) -> io::Result<()> {
    poll_fn(|cx| connection.poll_flush(cx)).await?;
    connection.finish();
    let mut thrown_away = 0;
    while thrown_away <= LINGER_MOST {
        match poll_fn(|cx| connection.poll_discard(LINGER_READ, cx)).await? {
            0 => return Ok(()),
            read => thrown_away += read,
        }
        // One read a turn: a client that goes on sending has two seconds, not the thread.
        yield_now().await;
    }
    pending().await
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, io::IoSlice, rc::Rc, task, task::Poll};

    use bytes::{BufMut, BytesMut};

    use super::*;

    /// What has happened to a [`Scripted`] socket.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Seen {
        written: Vec<u8>,
        read: usize,
        finished: bool,
        reset: bool,
    }

    /// A socket whose kernel takes so many bytes and whose client sends so many, all before it hangs up.
    struct Scripted {
        takes: usize,
        sends: usize,
        seen: Rc<RefCell<Seen>>,
    }

    impl Socket for Scripted {
        type Detached = ();

        fn poll_read(
            &mut self,
            _: &mut task::Context<'_>,
            into: &mut BytesMut,
            most: usize,
        ) -> Poll<io::Result<usize>> {
            assert!(self.seen.borrow().finished, "the client is waited for before everything was sent");
            let read = most.min(self.sends);
            into.put_bytes(b'x', read);
            self.sends -= read;
            self.seen.borrow_mut().read += read;
            Poll::Ready(Ok(read))
        }

        fn try_write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            let mut all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
            all.truncate(self.takes);
            if all.is_empty() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.takes -= all.len();
            self.seen.borrow_mut().written.extend(&all);
            Ok(all.len())
        }

        fn poll_read_ready(&mut self, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_write_ready(&mut self, _: &mut task::Context<'_>) -> Poll<io::Result<()>> {
            if self.takes > 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn finish(&mut self) {
            self.seen.borrow_mut().finished = true;
        }

        fn reset(self) {
            self.seen.borrow_mut().reset = true;
        }

        fn kernel_bytes(&self) -> u64 {
            0
        }

        fn set_receive_buffer(&self, _: usize) {}

        fn detach(self) -> io::Result<()> {
            Ok(())
        }

        fn attach((): ()) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    /// Closes a connection on which something waits already.
    async fn closed(takes: usize, sends: usize) -> (Seen, Discarded, Duration) {
        let seen = Rc::default();
        let socket = Scripted { takes, sends, seen: Rc::clone(&seen) };
        let mut connection = Connection::new(socket, Box::new(()));
        connection.outbox.push(Bytes::from_static(b"waits,"));
        let began = tokio::time::Instant::now();
        let discarded = close(connection, Some(Bytes::from_static(b"bye,")), Bytes::from_static(b"close")).await;
        (seen.take(), discarded, began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_said_and_the_client_hangs_up() {
        let (seen, discarded, took) = closed(100, 40_000).await;
        let expected = Seen { written: b"waits,bye,close".into(), read: 40_000, finished: true, reset: false };
        assert_eq!((seen, discarded, took), (expected, Discarded::default(), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_reset_and_what_it_missed_is_told() {
        let (seen, discarded, took) = closed(8, 0).await;
        assert_eq!(seen, Seen { written: b"waits,by".into(), reset: true, ..Seen::default() });
        assert_eq!((discarded, took), (Discarded { frames: 2, bytes: 7 }, GRACE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_on_sending_is_not_read_to_the_end() {
        let (seen, discarded, took) = closed(100, usize::MAX).await;
        assert_eq!((seen.read, seen.finished, seen.reset), (LINGER_MOST + LINGER_READ, true, true));
        assert_eq!((discarded, took), (Discarded::default(), GRACE));
    }
}
