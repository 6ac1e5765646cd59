//! The `id`s of updates that the room has not confirmed, oldest first: it does so in order. What the room's mailbox and the
//! session's own hold is the bound of these.

use std::collections::VecDeque;

use super::state::Re;

#[derive(Default)]
pub(super) struct Unconfirmed(VecDeque<Re>);

impl Unconfirmed {
    pub(super) fn push(&mut self, re: Re) {
        self.0.push_back(re);
    }

    /// The room has taken the oldest.
    pub(super) fn pop(&mut self) -> Re {
        self.0.pop_front().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
