//! A client, as far as it believes what it is told: who is in its room, and what it may come back with.

use std::collections::{BTreeSet, HashMap};

use super::messages::{Frame, Signal};
use switchboard::protocol::{PeerId, ResumeSecret};

#[derive(Debug, Default)]
pub(super) struct Client {
    /// The others in its room, while it is in one.
    pub(super) others: Option<BTreeSet<PeerId>>,
    /// What it may come back with.
    pub(super) token: Option<ResumeSecret>,
    /// Frames handled since the count began.
    pub(super) handled: u64,
    /// The latest signal of each peer.
    latest: HashMap<PeerId, usize>,
}

impl Client {
    /// Receives a frame, and finds no fault with it.
    pub(super) fn receive(&mut self, frame: &Frame) {
        match frame {
            Frame::Joined(others, token) => {
                assert_eq!(self.others, None, "it is in no room before it has joined");
                (self.others, self.token, self.handled) = (Some(others.clone()), Some(*token), 0);
            }
            Frame::Resumed(whole, token) => {
                self.token = Some(*token);
                if let Some(others) = whole {
                    (self.others, self.handled) = (Some(others.clone()), 0);
                }
            }
            counted => {
                self.handled += 1;
                self.receive_counted(counted);
            }
        }
    }

    fn receive_counted(&mut self, frame: &Frame) {
        if let Frame::LeftRoom | Frame::RoomClosed = frame {
            (self.others, self.token) = (None, None);
            return;
        }
        let others = self.others.as_mut().expect("in no room nothing is received of one");
        match frame {
            Frame::Came(peer) => assert!(others.insert(*peer), "each peer comes once"),
            Frame::Left(peer) => assert!(others.remove(peer), "only who is there leaves, and once"),
            Frame::Signal(Signal { from, number }) => {
                assert!(others.contains(from), "a signal of a peer that it was not told of");
                let former = self.latest.insert(*from, *number);
                assert!(former.is_none_or(|former| former < *number), "each signal comes once, and in order");
            }
            _ => {}
        }
    }
}
