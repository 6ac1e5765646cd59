//! A signal that came before its receiver could pass it on: it is kept, and goes on waiting in the receiver's inbox.

use std::sync::Arc;

use crate::messages::session::{Deliver, Member};

/// Until it is taken. One that never is (its room ended first) makes room again.
pub(super) struct EarlySignal {
    signal: Option<Deliver>,
    receiver: Arc<Member>,
}

impl EarlySignal {
    pub(super) fn new(signal: Deliver, receiver: Arc<Member>) -> Self {
        Self { signal: Some(signal), receiver }
    }

    pub(super) fn take(mut self) -> Option<Deliver> {
        self.signal.take()
    }
}

impl Drop for EarlySignal {
    fn drop(&mut self) {
        if let Some(signal) = self.signal.take() {
            self.receiver.inbox.dropped(signal.from, signal.frame.as_bytes().len(), signal.mark);
        }
    }
}
