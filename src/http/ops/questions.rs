//! Questions to the supervisor: one at a time, and none is waited for for ever.

use std::{sync::Arc, time::Duration};

use actix::Recipient;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::messages::{listing::Question, send_unbounded, supervisor::Look};

/// How long an answer may take, with the wait for those before it.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The way to the supervisor. Cloning shares the queue before it.
#[derive(Debug, Clone)]
pub struct Questions {
    supervisor: Recipient<Look>,
    /// Joins are to wait behind one question at most, however many operators and pages ask.
    turn: Arc<Semaphore>,
}

impl Questions {
    /// To that supervisor.
    #[must_use]
    pub fn new(supervisor: Recipient<Look>) -> Self {
        Self { supervisor, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Asks, and waits for the answer. `None`: it has not come in time.
    pub(super) async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Option<T> {
        let answer = async {
            let turn = self.turn.acquire().await.ok()?;
            let (answer, answered) = oneshot::channel();
            let asked = send_unbounded(&self.supervisor, Look(question(answer)));
            let answer = if asked { answered.await.ok() } else { None };
            drop(turn);
            answer
        };
        timeout(ANSWER_WITHIN, answer).await.ok().flatten()
    }
}
