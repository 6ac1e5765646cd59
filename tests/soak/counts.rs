//! The bookkeeping that `docs/protocol.md` asks of a client that resumes: both counts, and what was not acknowledged.

use std::collections::VecDeque;

use serde_json::Value;

/// One membership's.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Frames of the server's that were handled.
    pub(crate) received: u64,
    /// Of those, how many it was told of.
    pub(crate) acknowledged: u64,
    /// Frames of its own that the server has handled.
    acked: u64,
    /// Those after them.
    kept: VecDeque<Value>,
}

impl Counts {
    /// A counted frame is to be sent, now or when there is a connection.
    pub(crate) fn keep(&mut self, frame: Value) {
        self.kept.push_back(frame);
    }

    /// What the server may not have handled, oldest first.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Value> {
        self.kept.iter()
    }

    /// The server has handled so many: returns those of them that were not known to be.
    pub(crate) fn acked(&mut self, ack: u64) -> Result<Vec<Value>, String> {
        let most = self.acked + self.kept.len() as u64;
        if !(self.acked..=most).contains(&ack) {
            return Err(format!("the server acknowledges {ack}, not between {} and {most}", self.acked));
        }
        let handled = usize::try_from(ack - self.acked).expect("no more than are kept");
        self.acked = ack;
        Ok(self.kept.drain(..handled).collect())
    }

    /// Both counts begin anew; what was not handled is to be sent again.
    pub(crate) fn begin_anew(&mut self) {
        self.received = 0;
        self.acknowledged = 0;
        self.acked = 0;
    }
}
