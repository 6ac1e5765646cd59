//! A session that goes on after a restart.

use std::sync::Arc;

use super::{Membership, Rules};
use crate::{messages::session::Snapshot, protocol::Permissions};

impl<M, R: PartialEq, S> Rules<M, R, S> {
    /// Of a session that has a seat, by the join of that number, in a room that has not said so yet.
    #[must_use]
    pub fn restored(join_seq: u32, permissions: Permissions) -> Self {
        Self { join_seq, permissions, ..Self::new(None) }
    }

    /// The room says so. Nobody is told: the client knows.
    pub fn restore(&mut self, snapshot: &Arc<Snapshot<M, R>>) {
        if let Membership::Outside = self.membership {
            self.membership = Membership::Inside { snapshot: Arc::clone(snapshot), resync: None };
        }
    }
}
