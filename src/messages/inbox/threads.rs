//! The same with real threads: senders that race for one receiver, which is on a thread of its own.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, TryRecvError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::*;

const SENDERS: usize = 9;
const EACH: usize = 2_000;
/// Long for a machine with other work, and short of what anybody waits for.
const DEADLINE: Duration = Duration::from_secs(60);

struct Frame {
    from: usize,
    number: usize,
    bytes: usize,
    mark: Mark,
}

/// One sender: posts all its frames in order, and waits where it is told to.
fn send(inbox: &Inbox, bounds: &Bounds, name: PeerId, from: usize, mailbox: &Sender<Frame>) -> usize {
    let (cord, deadline) = (KillSwitch::default(), Instant::now() + DEADLINE);
    let mut waited = 0;
    for number in 0..EACH {
        let bytes = 1 + (number * 7 + from * 131) % 1500;
        loop {
            match inbox.admit(name, bytes, bounds, &cord) {
                Admission::Admitted(mark) => {
                    mailbox.send(Frame { from, number, bytes, mark }).expect("the receiver is there");
                    break;
                }
                Admission::Busy(Busy::Waits) => {
                    waited += 1;
                    while !cord.take_notes().has(Note::InboxReady) {
                        assert!(Instant::now() < deadline, "nobody told sender {from} that there is room");
                        thread::yield_now();
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }
    waited
}

/// The receiver: its queue is flushed a few frames at a time.
fn receive(inbox: &Inbox, bounds: &Bounds, names: &[PeerId], mailbox: &Receiver<Frame>) {
    let (mut queue, mut bytes, mut pushed) = (VecDeque::new(), 0_usize, 0_u64);
    let mut next = [0; SENDERS];
    let mut open = true;
    while open || !queue.is_empty() {
        for _ in 0..3 {
            match mailbox.try_recv() {
                Ok(frame) => {
                    assert_eq!(std::mem::replace(&mut next[frame.from], frame.number + 1), frame.number, "in order");
                    pushed += 1;
                    bytes += frame.bytes;
                    queue.push_back(frame.bytes);
                    let load = Load::new(queue.len(), bytes);
                    assert!(load.fits(bounds.connected.signals), "{load:?}");
                    inbox.publish(load, false);
                    inbox.queued(names[frame.from], frame.bytes, frame.mark, pushed);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    open = false;
                    break;
                }
            }
        }
        let before = bytes;
        for _ in 0..2 {
            bytes -= queue.pop_front().unwrap_or(0);
        }
        let written = pushed - queue.len() as u64;
        inbox.flushed(Load::new(queue.len(), bytes), written, (before - bytes) as u64, bounds);
    }
    assert_eq!(next, [EACH; SENDERS], "all arrived");
}

#[test]
fn everything_arrives_in_order_within_the_bound_and_nobody_waits_for_ever() {
    let bound = Bound::new(64, 24_000, SENDERS + 1);
    let bounds = Bounds { connected: bound, away: bound };
    let inbox = Arc::new(Inbox::default());
    let names: Vec<_> = (0..SENDERS).map(|_| PeerId::random()).collect();
    let (post, mailbox) = channel();
    let waited: usize = thread::scope(|scope| {
        let senders: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(from, name)| {
                let (post, inbox) = (post.clone(), Arc::clone(&inbox));
                scope.spawn(move || send(&inbox, &bounds, *name, from, &post))
            })
            .collect();
        drop(post);
        receive(&inbox, &bounds, &names, &mailbox);
        senders.into_iter().map(|sender| sender.join().expect("a sender")).sum()
    });
    assert!(waited > 0, "it was never full");
    assert_eq!(inbox.total(), Load::default());
    assert!(inbox.lock().is_none());
}
