//! The ledger against random histories: sockets cut after any frame in either direction, answers lost, acks at any time,
//! letters refused. Whatever happens, every frame arrives exactly once and in order, or the client is told that it
//! missed some.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::{
    prelude::{ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, proptest},
    test_runner::TestCaseError,
};

use super::ledger::{Keep, Ledger, Resumed};
use crate::protocol::Secret;

/// Small, so that histories exceed it.
const KEEP: Keep = Keep { frames: 6, bytes: 60 };

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The server says a counted frame of so many octets.
    ServerSays(usize),
    /// The client handles the oldest frame on its way.
    ClientHears,
    ClientSays,
    ClientPings,
    ServerHears,
    /// The socket is gone, with all that was on its way.
    Cut,
    /// The client comes back; whether the answer arrives.
    Resume(bool),
    /// The session's mailbox refuses a letter.
    LoseLetter,
}

fn step() -> impl Strategy<Value = Step> {
    (0..100_u8, 1..25_usize).prop_map(|(kind, size)| match kind {
        0..=24 => Step::ServerSays(size),
        25..=49 => Step::ClientHears,
        50..=61 => Step::ClientSays,
        62..=67 => Step::ClientPings,
        68..=81 => Step::ServerHears,
        82..=89 => Step::Cut,
        90..=98 => Step::Resume(size % 3 != 0),
        _ => Step::LoseLetter,
    })
}

/// What travels to the server.
#[derive(Debug, Clone, Copy)]
enum Up {
    Frame(usize),
    Ping(u64),
}

/// A client that keeps its books as the protocol's document tells it to.
#[derive(Default)]
struct Client {
    token: Option<Secret>,
    handled: u64,
    /// Its own frames since the count began, of which the first `acked` need not be sent again.
    sent: Vec<usize>,
    /// What it got: `None` where it was told that it missed something.
    got: Vec<Option<usize>>,
}

struct World {
    ledger: Ledger,
    client: Client,
    down: VecDeque<usize>,
    up: VecDeque<Up>,
    attached: bool,
    /// Frames as the server numbers them now, with their sizes.
    numbered: Vec<(usize, usize)>,
    said: usize,
    asked: usize,
    /// The client's frames that the server handled.
    heard: Vec<usize>,
    gap: bool,
    /// Whether the numbering has begun anew without the client knowing it.
    behind: bool,
}

impl World {
    fn new() -> Self {
        let secret = Secret::random();
        let client = Client { token: Some(secret), ..Client::default() };
        Self {
            ledger: Ledger::new(KEEP, secret),
            client,
            down: VecDeque::new(),
            up: VecDeque::new(),
            attached: true,
            numbered: Vec::new(),
            said: 0,
            asked: 0,
            heard: Vec::new(),
            gap: false,
            behind: false,
        }
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::ServerSays(size) => self.server_says(size),
            Step::ClientHears => self.client_hears(),
            Step::ClientSays if self.attached => {
                self.client.sent.push(self.asked);
                self.up.push_back(Up::Frame(self.asked));
                self.asked += 1;
            }
            Step::ClientPings if self.attached => self.up.push_back(Up::Ping(self.client.handled)),
            Step::ServerHears => self.server_hears()?,
            Step::Cut => self.cut(),
            Step::Resume(arrives) => self.resume(arrives)?,
            Step::LoseLetter => {
                self.ledger.lost();
                self.gap = true;
            }
            Step::ClientSays | Step::ClientPings => {}
        }
        Ok(())
    }

    fn server_says(&mut self, size: usize) {
        self.ledger.said(&frame(self.said, size));
        self.numbered.push((self.said, size.max(8)));
        if self.attached {
            self.down.push_back(self.said);
        }
        self.said += 1;
    }

    fn client_hears(&mut self) {
        if let Some(id) = self.down.pop_front() {
            self.client.handled += 1;
            self.client.got.push(Some(id));
        }
    }

    fn server_hears(&mut self) -> Result<(), TestCaseError> {
        let Some(up) = self.up.pop_front() else { return Ok(()) };
        self.ledger.confirm();
        match up {
            Up::Frame(id) => {
                self.ledger.handled();
                self.heard.push(id);
            }
            Up::Ping(ack) => prop_assert!(self.ledger.acked(ack).is_ok(), "an honest ack is refused"),
        }
        Ok(())
    }

    fn cut(&mut self) {
        self.attached = false;
        self.down.clear();
        self.up.clear();
    }

    fn resume(&mut self, arrives: bool) -> Result<(), TestCaseError> {
        self.cut();
        let token = self.client.token.expect("a client has a token");
        prop_assert!(self.ledger.knows(&token), "the client's token is good");
        prop_assert!(!self.ledger.knows(&Secret::random()));
        let next = Secret::random();
        let complete = !self.behind && !self.gap && self.fits();
        let answer = self.ledger.resume(&token, self.client.handled, next);
        let answer = answer.map_err(|_| TestCaseError::fail("an honest ack is refused"))?;
        prop_assert_eq!(answer.complete, complete);
        if !complete {
            self.numbered.clear();
            self.gap = false;
            self.behind = true;
        }
        if arrives {
            self.behind = false;
            self.attached = true;
            self.client.token = Some(next);
            self.joined(&answer);
        }
        Ok(())
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
            self.client.handled = 0;
            self.client.got.push(None);
            self.client.sent.clone_from(&again);
        }
        self.up.extend(again.into_iter().map(Up::Frame));
    }

    fn settle(&mut self) -> Result<(), TestCaseError> {
        self.resume(true)?;
        while !self.down.is_empty() {
            self.client_hears();
        }
        while !self.up.is_empty() {
            self.server_hears()?;
        }
        let asked: Vec<_> = (0..self.asked).collect();
        prop_assert_eq!(&self.heard, &asked, "the client's frames are handled once, in order");
        let mut expected = 0;
        let mut missed = false;
        for got in &self.client.got {
            match *got {
                None => missed = true,
                Some(id) => {
                    prop_assert!(id == expected || (missed && id > expected), "got {id} instead of {expected}");
                    (expected, missed) = (id + 1, false);
                }
            }
        }
        prop_assert!(expected == self.said || missed, "the last frames are missing, and nobody said so");
        Ok(())
    }
}

fn frame(id: usize, size: usize) -> Bytes {
    let mut octets = vec![0; size.max(8)];
    octets[..8].copy_from_slice(&(id as u64).to_be_bytes());
    Bytes::from(octets).slice(..size.max(8))
}

fn number(frame: &Bytes) -> usize {
    let id: [u8; 8] = frame[..8].try_into().expect("eight octets");
    usize::try_from(u64::from_be_bytes(id)).expect("small")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_frame_arrives_once_and_in_order_or_the_client_is_told(steps in prop::collection::vec(step(), 0..80)) {
        let mut world = World::new();
        steps.into_iter().try_for_each(|step| world.run(step))?;
        world.settle()?;
    }
}

#[test]
fn an_idle_peer_holds_nothing_and_dishonest_acks_change_nothing() {
    let mut ledger = Ledger::new(KEEP, Secret::random());
    ledger.said(&frame(0, 8));
    ledger.said(&frame(1, 8));
    assert!(ledger.acked(3).is_err());
    assert!(ledger.acked(2).is_ok());
    assert!(ledger.acked(1).is_err());
    assert_eq!(ledger.kept(), (0, 0));
}

#[test]
fn a_token_that_was_followed_is_good_until_the_next_one_is_proven() {
    let (first, second, third) = (Secret::random(), Secret::random(), Secret::random());
    let mut ledger = Ledger::new(KEEP, first);
    assert!(!ledger.may_park(), "a client whose joined may be lost has nothing to come back with");
    ledger.confirm();
    assert!(ledger.may_park());
    ledger.resume(&first, 0, second).unwrap();
    assert!(ledger.knows(&first) && ledger.knows(&second));
    ledger.resume(&first, 0, third).unwrap();
    assert!(ledger.knows(&first) && ledger.knows(&third) && !ledger.knows(&second));
    ledger.confirm();
    assert!(!ledger.knows(&first) && ledger.knows(&third));
}
