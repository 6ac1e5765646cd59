//! Histories of one resumable session: the resume buffer, and a client that keeps its books as docs/protocol.md tells it to, with
//! sockets between them that are cut after any frame in either direction, answers that are lost, acks at any time, true
//! and false, and messages that the session's mailbox refuses. Whatever happens, every frame arrives exactly once and in
//! order, or the client is told that it missed some.

use std::collections::VecDeque;

use bytes::Bytes;

use switchboard::{
    protocol::ResumeSecret,
    session::resume_buffer::{BadAck, Keep, ResumeBuffer, Resumed},
};

/// Small, so that histories exceed it.
const KEEP: Keep = Keep { frames: 6, bytes: 60 };
/// Least bytes of a frame: its number.
const NUMBER: usize = 8;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The server sends a counted frame of so many bytes.
    ServerSends(usize),
    /// The client handles the oldest frame on its way.
    ClientReceives,
    /// The client sends a counted frame.
    ClientSends,
    /// The client acknowledges what it has handled.
    ClientPings,
    /// The server handles the oldest frame on its way.
    ServerReceives,
    /// The socket is gone, with all that was on its way.
    KillSwitch,
    /// The client comes back, before or after its former socket is gone; whether the answer arrives.
    Resume(bool),
    /// The session's mailbox refuses a message: what it was to send is lost, and its socket is cut.
    LoseMessage,
    /// A client sends a number that its acks cannot reach: in a `ping` or, without a socket, in a `resume`.
    LieAbove(u64),
    /// As above, with a number that its acks have passed.
    LieBelow(u64),
}

impl Step {
    /// A step for any two numbers.
    #[must_use]
    pub fn read(kind: u8, size: u8) -> Self {
        let size = 1 + usize::from(size % 24);
        match kind % 100 {
            0..=24 => Self::ServerSends(size),
            25..=47 => Self::ClientReceives,
            48..=59 => Self::ClientSends,
            60..=65 => Self::ClientPings,
            66..=79 => Self::ServerReceives,
            80..=86 => Self::KillSwitch,
            87..=95 => Self::Resume(!size.is_multiple_of(3)),
            96..=97 => Self::LoseMessage,
            98 => Self::LieAbove(size as u64),
            _ => Self::LieBelow(size as u64),
        }
    }
}

/// Plays a history, lets it come to rest, and compares.
pub fn play(steps: impl IntoIterator<Item = Step>) {
    let mut world = World::new();
    for step in steps {
        world.run(step);
        world.check();
    }
    world.settle();
}

/// What travels to the server.
#[derive(Debug, Clone, Copy)]
enum Up {
    Frame(usize),
    Ping(u64),
}

struct Client {
    token: ResumeSecret,
    handled: u64,
    /// Its own frames since the count began: those that the last answer covered need not be sent again.
    sent: Vec<usize>,
    /// What it got: `None` where it was told that it missed something.
    got: Vec<Option<usize>>,
}

/// A token that the client may still use, and the acks that it may go with, where those are of a count that is over.
#[derive(Clone, Copy)]
struct Former {
    secret: ResumeSecret,
    acks: Option<(u64, u64)>,
}

struct World {
    resume_buffer: ResumeBuffer,
    client: Client,
    down: VecDeque<usize>,
    up: VecDeque<Up>,
    attached: bool,
    /// Frames as the server numbers them now, with their sizes.
    numbered: Vec<(usize, usize)>,
    acked: u64,
    sent_ids: usize,
    asked: usize,
    /// The client's frames that the server handled.
    received: Vec<usize>,
    gap: bool,
    /// Every token there ever was, and those of them that are good.
    issued: Vec<ResumeSecret>,
    current: ResumeSecret,
    former: Option<Former>,
    confirmed: bool,
}

impl World {
    fn new() -> Self {
        let secret = ResumeSecret::random();
        Self {
            resume_buffer: ResumeBuffer::new(secret),
            client: Client { token: secret, handled: 0, sent: Vec::new(), got: Vec::new() },
            down: VecDeque::new(),
            up: VecDeque::new(),
            attached: true,
            numbered: Vec::new(),
            acked: 0,
            sent_ids: 0,
            asked: 0,
            received: Vec::new(),
            gap: false,
            issued: vec![secret],
            current: secret,
            former: None,
            confirmed: false,
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::ServerSends(size) => self.server_sends(size),
            Step::ClientReceives => self.client_receives(),
            Step::ClientSends if self.attached => {
                self.client.sent.push(self.asked);
                self.up.push_back(Up::Frame(self.asked));
                self.asked += 1;
            }
            Step::ClientPings if self.attached => self.up.push_back(Up::Ping(self.client.handled)),
            Step::ServerReceives => self.server_receives(),
            Step::KillSwitch => self.kill_switch(),
            Step::Resume(arrives) => self.resume(arrives),
            Step::LoseMessage => {
                self.sent_ids += 1;
                self.resume_buffer.lost();
                self.gap = true;
                self.kill_switch();
            }
            Step::LieAbove(by) => self.lie(|(_, sent)| Some(sent + by)),
            Step::LieBelow(by) => self.lie(|(acked, _)| acked.checked_sub(by)),
            Step::ClientSends | Step::ClientPings => {}
        }
    }

    /// What holds at any moment.
    fn check(&self) {
        let good = |secret: &ResumeSecret| {
            *secret == self.current || self.former.is_some_and(|former| former.secret == *secret)
        };
        for secret in &self.issued {
            assert_eq!(self.resume_buffer.knows(secret), good(secret), "a token is good until the next one is proven");
        }
        assert!(self.resume_buffer.knows(&self.client.token), "the client's token is good");
        assert_eq!(self.resume_buffer.may_park(), self.confirmed);
        let (frames, bytes) = self.resume_buffer.kept();
        assert!(frames <= KEEP.frames && bytes <= KEEP.bytes, "{frames} frames, {bytes} bytes");
        assert!(frames > 0 || bytes == 0, "{bytes} bytes of nothing");
    }

    fn server_sends(&mut self, size: usize) {
        let size = size.max(NUMBER);
        self.resume_buffer.record(&frame(self.sent_ids, size), KEEP);
        self.numbered.push((self.sent_ids, size));
        if self.attached {
            self.down.push_back(self.sent_ids);
        }
        self.sent_ids += 1;
    }

    fn client_receives(&mut self) {
        if let Some(id) = self.down.pop_front() {
            self.client.handled += 1;
            self.client.got.push(Some(id));
        }
    }

    fn server_receives(&mut self) {
        let Some(up) = self.up.pop_front() else { return };
        self.confirm();
        match up {
            Up::Frame(id) => {
                self.resume_buffer.handled();
                self.received.push(id);
            }
            Up::Ping(ack) => {
                assert_eq!(self.resume_buffer.acked(ack), Ok(()), "an honest ack is refused");
                self.acked = ack;
                assert!(ack < self.sent() || self.resume_buffer.kept() == (0, 0), "an idle peer holds something");
            }
        }
    }

    fn confirm(&mut self) {
        self.resume_buffer.confirm();
        self.former = None;
        self.confirmed = true;
    }

    fn kill_switch(&mut self) {
        self.attached = false;
        self.down.clear();
        self.up.clear();
    }

    fn sent(&self) -> u64 {
        self.numbered.len() as u64
    }

    /// The acks that the client's token may go with.
    fn acks(&self) -> (u64, u64) {
        let former = self.former.filter(|former| former.secret == self.client.token);
        former.and_then(|former| former.acks).unwrap_or((self.acked, self.sent()))
    }

    /// Whether the numbering has begun anew without the client knowing it.
    fn is_behind(&self) -> bool {
        self.former.is_some_and(|former| former.secret == self.client.token && former.acks.is_some())
    }

    fn lie(&mut self, ack: impl FnOnce((u64, u64)) -> Option<u64>) {
        if self.attached {
            // Any frame shows that the token has arrived, one that is refused too.
            self.confirm();
        }
        let Some(ack) = ack(self.acks()) else { return };
        let before = self.resume_buffer.kept();
        if self.attached {
            assert_eq!(self.resume_buffer.acked(ack), Err(BadAck));
        }
        assert!(!self.resume_buffer.allows(&self.client.token, ack));
        assert_eq!(self.resume_buffer.resume(&self.client.token, ack, ResumeSecret::random()), Err(BadAck));
        assert_eq!(self.resume_buffer.kept(), before);
    }

    fn resume(&mut self, arrives: bool) {
        self.kill_switch();
        let next = ResumeSecret::random();
        let complete = !self.is_behind() && !self.gap && self.fits();
        let acks = self.acks();
        assert!(self.resume_buffer.allows(&self.client.token, self.client.handled), "an honest ack is refused");
        let answer = self.resume_buffer.resume(&self.client.token, self.client.handled, next).expect("an honest ack");
        assert_eq!(answer.complete, complete);
        self.former = Some(Former { secret: self.client.token, acks: (!complete).then_some(acks) });
        self.current = next;
        self.issued.push(next);
        if complete {
            self.acked = self.client.handled;
        } else {
            self.numbered.clear();
            self.acked = 0;
            self.gap = false;
        }
        if arrives {
            self.attached = true;
            self.client.token = next;
            self.joined(&answer);
        }
    }

    /// Whether all that the client has not handled is still kept.
    fn fits(&self) -> bool {
        let missed = &self.numbered[usize::try_from(self.client.handled).expect("small")..];
        missed.len() <= KEEP.frames && missed.iter().map(|(_, size)| size).sum::<usize>() <= KEEP.bytes
    }

    /// The client gets its `joined`.
    fn joined(&mut self, answer: &Resumed) {
        let again = self.client.sent.split_off(usize::try_from(answer.ack).expect("small"));
        if answer.complete {
            self.down.extend(answer.replay.iter().map(number));
            self.client.sent.extend(&again);
        } else {
            assert_eq!(answer.replay, Vec::<Bytes>::new());
            self.client.handled = 0;
            self.client.got.push(None);
            self.client.sent.clone_from(&again);
        }
        self.up.extend(again.into_iter().map(Up::Frame));
    }

    fn settle(&mut self) {
        self.resume(true);
        while !self.down.is_empty() {
            self.client_receives();
        }
        while !self.up.is_empty() {
            self.server_receives();
        }
        assert_eq!(
            self.received,
            (0..self.asked).collect::<Vec<_>>(),
            "the client's frames are handled once, in order"
        );
        let mut expected = 0;
        let mut missed = false;
        for got in &self.client.got {
            match *got {
                None => missed = true,
                Some(id) => {
                    assert!(id == expected || (missed && id > expected), "got {id} instead of {expected}");
                    (expected, missed) = (id + 1, false);
                }
            }
        }
        assert!(expected == self.sent_ids || missed, "the last frames are missing, and nobody said so");
    }
}

fn frame(id: usize, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    bytes[..NUMBER].copy_from_slice(&(id as u64).to_be_bytes());
    bytes.into()
}

fn number(frame: &Bytes) -> usize {
    let id: [u8; NUMBER] = frame[..NUMBER].try_into().expect("a number");
    usize::try_from(u64::from_be_bytes(id)).expect("small")
}
