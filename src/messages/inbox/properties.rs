//! Histories of senders and one receiver against a naive model of both, one step at a time.

use std::{collections::VecDeque, time::Duration};

use proptest::prelude::{Just, Strategy, prop, prop_oneof, proptest};

use super::*;

const SENDERS: usize = 4;
/// Peers of a full room: the senders, and the receiver.
const PEERS: usize = SENDERS + 1;

#[derive(Debug, Clone)]
enum Step {
    /// A sender posts a frame of so many bytes.
    Send(usize, usize),
    /// The receiver takes the oldest message: into its queue, or nowhere.
    Handle(bool),
    /// The socket takes so many frames.
    Flush(usize),
    /// The server has something for this client itself.
    Own(usize),
    /// The socket is lost: what waits is in the resume buffer.
    Park,
    /// The client is back, and gets what it missed past the bound.
    Resume,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..SENDERS, prop_oneof![4 => 1_usize..60, 1 => 60_usize..260]).prop_map(|(from, len)| Step::Send(from, len)),
        8 => prop_oneof![9 => Just(true), 1 => Just(false)].prop_map(Step::Handle),
        5 => (0_usize..6).prop_map(Step::Flush),
        1 => (1_usize..20).prop_map(Step::Own),
        1 => Just(Step::Park),
        2 => Just(Step::Resume),
    ];
    prop::collection::vec(step, 0..300)
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    from: usize,
    bytes: usize,
    mark: Mark,
}

struct Model {
    bounds: Bounds,
    inbox: Inbox,
    names: Vec<PeerId>,
    cords: Vec<KillSwitch>,
    mailbox: VecDeque<Frame>,
    /// None: the server's own. What was admitted while the receiver was away, and what it missed, is past the bound.
    queue: VecDeque<(Option<Frame>, usize)>,
    pushed: u64,
    away: bool,
    /// The frame that each sender was refused, and has not been woken for.
    waits: [Option<usize>; SENDERS],
    longest: [usize; SENDERS],
}

fn sum(lengths: impl Iterator<Item = usize>) -> Load {
    lengths.fold(Load::default(), |sum, bytes| sum + Load::frame(bytes))
}

impl Model {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            inbox: Inbox::default(),
            names: (0..SENDERS).map(|_| PeerId::random()).collect(),
            cords: (0..SENDERS).map(|_| KillSwitch::default()).collect(),
            mailbox: VecDeque::new(),
            queue: VecDeque::new(),
            pushed: 0,
            away: false,
            waits: [None; SENDERS],
            longest: [0; SENDERS],
        }
    }

    fn posted(&self) -> Load {
        sum(self.mailbox.iter().map(|frame| frame.bytes))
    }

    fn waiting(&self) -> Load {
        let within = |frame: &Option<Frame>| self.away || frame.is_none_or(|frame| !frame.mark.away);
        sum(self.queue.iter().filter(|(frame, _)| within(frame)).map(|(_, bytes)| *bytes))
    }

    /// What is counted for a sender, by looking at every frame.
    fn counted(&self, from: usize) -> Load {
        let queued = self.queue.iter().filter_map(|(frame, _)| frame.as_ref());
        let all = self.mailbox.iter().chain(queued);
        sum(all.filter(|frame| frame.from == from && frame.mark.counted).map(|frame| frame.bytes))
    }

    /// Whether anything of a sender's was admitted while the receiver was away.
    fn has_absent(&self, from: usize) -> bool {
        let queued = self.queue.iter().filter_map(|(frame, _)| frame.as_ref());
        self.mailbox.iter().chain(queued).any(|frame| frame.from == from && frame.mark.away)
    }

    fn bound(&self) -> Bound {
        *self.bounds.of(self.away)
    }

    fn has_room(&self, from: usize, bytes: usize) -> bool {
        let (before, more, bound) = (self.posted() + self.waiting(), Load::frame(bytes), self.bound());
        let own = self.counted(from);
        let share = own.is_zero() || (own + more).fits(bound.share);
        (before + more).fits(bound.share) || before.is_zero() || (share && (before + more).fits(bound.signals))
    }

    fn send(&mut self, from: usize, bytes: usize) {
        let taken = self.mailbox.len();
        self.ask(from, bytes);
        if self.mailbox.len() > taken {
            self.check_bound();
        }
    }

    fn ask(&mut self, from: usize, bytes: usize) {
        let room = self.has_room(from, bytes);
        let (waited, away) = (self.waits[from].is_some(), self.away);
        match self.inbox.admit(self.names[from], bytes, &self.bounds, &self.cords[from]) {
            Admission::Admitted(mark) => {
                assert!(room, "{bytes} of {from}");
                self.longest[from] = self.longest[from].max(bytes);
                self.mailbox.push_back(Frame { from, bytes, mark });
            }
            Admission::Busy(busy) => {
                assert!(!room, "{bytes} of {from}: {busy:?}");
                let expected = match (away, waited) {
                    (true, _) => Busy::Away,
                    (false, true) => Busy::StillWaits,
                    (false, false) => Busy::Waits,
                };
                assert_eq!(busy, expected);
                if busy == Busy::Waits {
                    self.waits[from] = Some(bytes);
                }
            }
            Admission::Gone => panic!("it is there"),
        }
    }

    fn push(&mut self, frame: Option<Frame>, bytes: usize) {
        self.pushed += 1;
        self.queue.push_back((frame, bytes));
        self.inbox.publish(self.waiting(), self.away);
    }

    fn flush(&mut self, frames: usize) {
        let bytes: usize = self.queue.drain(..frames.min(self.queue.len())).map(|(_, bytes)| bytes).sum();
        let written = self.pushed - self.queue.len() as u64;
        self.inbox.flushed(self.waiting(), written, bytes as u64, &self.bounds);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Send(from, bytes) => self.send(from, bytes),
            Step::Handle(pass) => {
                let Some(frame) = self.mailbox.pop_front() else { return };
                if pass {
                    self.push(Some(frame), frame.bytes);
                    self.inbox.queued(self.names[frame.from], frame.bytes, frame.mark, self.pushed);
                    if frame.mark.away && !self.away {
                        // It waits for nobody's account any more, and what is handled is flushed.
                        self.flush(0);
                    }
                } else {
                    self.inbox.dropped(self.names[frame.from], frame.bytes, frame.mark);
                }
            }
            Step::Flush(frames) if !self.away => self.flush(frames),
            Step::Own(bytes) => self.push(None, bytes),
            Step::Park if !self.away => {
                self.away = true;
                // From now on it is what comes during the absence that counts for each.
                self.queue
                    .iter_mut()
                    .filter_map(|(frame, _)| frame.as_mut())
                    .for_each(|frame| frame.mark.counted = false);
                self.inbox.moved(self.waiting(), true);
            }
            Step::Resume if self.away => {
                self.away = false;
                self.queue.clear();
                self.inbox.moved(Load::default(), false);
            }
            Step::Flush(_) | Step::Park | Step::Resume => {}
        }
        self.take_notes();
    }

    fn take_notes(&mut self) {
        for (cord, waits) in self.cords.iter().zip(&mut self.waits) {
            if cord.take_notes().has(Note::InboxReady) {
                assert!(waits.take().is_some(), "somebody was woken who does not wait");
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.inbox.total(), self.posted() + self.waiting());
        for (from, waits) in self.waits.iter().enumerate() {
            assert!(waits.is_none_or(|bytes| !self.has_room(from, bytes)), "{from} waits, and has room");
            let counted = self.counted(from);
            let one = counted.frames() <= 1 && counted.bytes() <= self.longest[from] as u64;
            let bound = self.bounds.of(self.away || self.has_absent(from));
            assert!(one || counted.fits(bound.share), "{from} has {counted:?}");
        }
        let idle = self.waits.iter().all(Option::is_none) && (0..SENDERS).all(|from| self.counted(from).is_zero());
        assert_eq!(self.inbox.lock().is_none(), idle, "shares are there while they are needed");
    }

    /// The server's own frames, and none of the signals, can take what waits beyond the signals' part.
    fn check_bound(&self) {
        let own = sum(self.queue.iter().filter(|(frame, _)| frame.is_none()).map(|(_, bytes)| *bytes));
        let all = self.posted() + self.waiting();
        let alone = all.saturating_sub(own).frames() <= 1;
        assert!(alone || all.fits(self.bound().signals + own), "{all:?}, of which {own:?} are the server's");
    }
}

proptest! {
    #[test]
    fn every_history_is_that_of_the_naive_model(steps in steps(), frames in 8_usize..40, bytes in 300_usize..900) {
        let bounds = Bounds { connected: Bound::new(frames, bytes, PEERS), away: Bound::new(2 * frames, 2 * bytes, PEERS) };
        let mut model = Model::new(bounds);
        for step in &steps {
            model.step(step);
            model.check();
        }
        // A receiver that goes on reading has nobody wait, and remembers nothing.
        model.step(&Step::Resume);
        while !model.mailbox.is_empty() {
            model.step(&Step::Handle(true));
        }
        model.step(&Step::Flush(usize::MAX));
        assert!(model.inbox.lock().is_none() && model.waits.iter().all(Option::is_none));
        assert_eq!(model.inbox.total(), Load::default());
    }

    #[test]
    fn each_sender_gets_its_share_whatever_the_others_do(others in prop::collection::vec(1..SENDERS, 500), frames in 12_usize..400) {
        let bounds = Bounds { connected: Bound::new(frames, 60_000, PEERS), away: Bound::new(frames, 60_000, PEERS) };
        let mut model = Model::new(bounds);
        for (at, from) in others.into_iter().enumerate() {
            model.send(from, 1 + at * 37 % 900);
            model.take_notes();
        }
        // Nothing was read, and yet the quiet one's share is there, in bytes and in frames.
        let share = bounds.connected.share;
        let length = (share.bytes() / share.frames()).min(900) as usize;
        for _ in 0..share.frames() {
            assert!(matches!(
                model.inbox.admit(model.names[0], length, &bounds, &model.cords[0]),
                Admission::Admitted(_)
            ));
        }
    }
}

#[test]
fn who_waits_hears_of_the_end() {
    let bound = Bound::new(8, 1000, 3);
    let bounds = Bounds { connected: bound, away: bound };
    let (inbox, cord, from) = (Inbox::default(), KillSwitch::default(), PeerId::random());
    let admit = || inbox.admit(from, 240, &bounds, &cord);
    assert_eq!(admit(), Admission::Admitted(Mark::default()));
    assert_eq!(admit(), Admission::Admitted(Mark { counted: true, away: false }));
    assert_eq!([admit(), admit()], [Admission::Busy(Busy::Waits), Admission::Busy(Busy::StillWaits)]);
    assert!(!cord.take_notes().has(Note::InboxReady));
    inbox.close();
    assert!(cord.take_notes().has(Note::InboxReady));
    assert_eq!(inbox.admit(from, 240, &bounds, &cord), Admission::Gone);
}

#[test]
fn what_was_sent_before_an_absence_counts_for_nobody_and_takes_its_part_of_the_whole() {
    let bound = Bound::new(100, 1_000_000, 3);
    let bounds = Bounds { connected: bound, away: bound };
    let (inbox, cord, [one, other]) = (Inbox::default(), KillSwitch::default(), [(); 2].map(|()| PeerId::random()));
    let mut latest = 0;
    let mut send = |from, bytes| {
        let before = inbox.total();
        let Admission::Admitted(mark) = inbox.admit(from, bytes, &bounds, &cord) else { return false };
        latest += 1;
        inbox.publish(before + Load::frame(bytes), mark.away);
        inbox.queued(from, bytes, mark, latest);
        true
    };
    assert_eq!([(); 3].map(|()| send(one, 200_000)), [true, true, false], "one that is free, and its share");
    inbox.moved(inbox.total(), true);
    assert_eq!([(); 2].map(|()| send(one, 200_000)), [true, false], "its share of the absence");
    assert_eq!([(); 2].map(|()| send(other, 100_000)), [true, false], "and the other's, as far as there is room");
}

#[test]
fn slow_is_who_reads_little_while_the_bound_is_in_use_and_nobody_on_a_late_look() {
    let bound = Bound::new(100, 1_000_000, 3);
    let bounds = Bounds { connected: bound, away: bound };
    let (start, limit) = (Instant::now(), Duration::from_secs(5));
    let at = |seconds| start + Duration::from_secs(seconds);
    let fill = |inbox: &Inbox, cord: &KillSwitch| {
        let from = PeerId::random();
        while let Admission::Admitted(mark) = inbox.admit(from, 200_000, &bounds, cord) {
            inbox.publish(inbox.total(), false);
            inbox.queued(from, 200_000, mark, inbox.total().frames());
        }
    };
    let cord = KillSwitch::default();
    let (idle, stuck, late, reads) = (Inbox::default(), Inbox::default(), Inbox::default(), Inbox::default());
    for inbox in [&stuck, &late, &reads] {
        fill(inbox, &cord);
    }
    let slow = |inbox: &Inbox, seconds, late| inbox.is_slow(&bounds, at(seconds), late, limit);
    for inbox in [&idle, &stuck, &late, &reads] {
        assert!(!slow(inbox, 0, false) && !slow(inbox, 4, false));
    }
    assert!(!slow(&idle, 6, false) && slow(&stuck, 6, false));
    assert!(!slow(&late, 60, true) && !slow(&late, 64, false) && slow(&late, 65, false));
    // Nor who comes back on another socket: what it did on the former one says nothing of this.
    let back = Inbox::default();
    fill(&back, &cord);
    assert!(!slow(&back, 0, false));
    back.moved(back.total(), true);
    back.moved(Load::default(), false);
    fill(&back, &cord);
    assert!(!slow(&back, 60, false) && slow(&back, 65, false));
    // It has read at 1 Mbit/s, as far as that is seen, and the bound is in use all the same.
    reads.flushed(reads.total(), 0, 750_000 - 65_536, &bounds);
    assert!(!slow(&reads, 6, false) && !slow(&reads, 10, false) && slow(&reads, 11, false));
}

/// A sender adds its frame to what is posted before it knows whether there is room, and another one may find that.
#[test]
fn who_waits_only_for_what_another_has_not_posted_after_all_is_woken_by_it() {
    let bound = Bound::new(100, 4000, 3);
    let bounds = Bounds { connected: bound, away: bound };
    let (inbox, cords, names) =
        (Inbox::default(), [(); 2].map(|()| KillSwitch::default()), [(); 2].map(|()| PeerId::random()));
    let admit = |at: usize, bytes| inbox.admit(names[at], bytes, &bounds, &cords[at]);
    // What waits leaves room for one of them, beyond a share.
    inbox.publish(Load::new(1, 1500), false);
    // The other one is on its way, and turned back later.
    let on_its_way = Load::frame(900);
    inbox.posted.fetch_add(on_its_way.pack(), Ordering::AcqRel);
    assert_eq!(admit(0, 900), Admission::Busy(Busy::Waits));
    assert!(!cords[0].take_notes().has(Note::InboxReady));
    inbox.posted.fetch_sub(on_its_way.pack(), Ordering::AcqRel);
    let more = Load::frame(1600);
    assert_eq!(inbox.admit_shared(names[1], more, &bounds, &cords[1]), Admission::Busy(Busy::Waits));
    assert!(cords[0].take_notes().has(Note::InboxReady), "nothing is in its way, and nobody else would say so");
    assert_eq!(admit(0, 900), Admission::Admitted(Mark { counted: true, away: false }));
}

#[test]
fn news_is_never_missing_from_the_sum_while_it_is_handled() {
    let (inbox, news) = (Inbox::default(), Load::new(3, 300));
    inbox.news_posted(news);
    inbox.handle_news(news, || {
        assert_eq!(inbox.total(), news, "before it is in the queue");
        inbox.publish(news, false);
        assert!(news.fits(inbox.total()), "when it is there");
    });
    assert_eq!(inbox.total(), news, "and once, when it is handled");
}
