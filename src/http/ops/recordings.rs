//! What the threads have recorded of a room: asked of all of them at once, by one operator at a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::{
    arbiter::Arbiters,
    protocol::RoomName,
    recorder::{self, RecorderConfig, state::Piece},
};

/// How long the answers may take, with the wait for whoever asked before.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The way to the threads that record. Cloning shares the queue before it.
#[derive(Debug, Clone)]
pub struct RecordedRooms {
    arbiters: Arbiters,
    /// The clock that they share, and whether they record at all.
    pub(super) config: RecorderConfig,
    /// A thread copies one room's facts at a time, however many operators and pages ask.
    turn: Arc<Semaphore>,
}

impl RecordedRooms {
    /// Of those threads.
    #[must_use]
    pub fn new(arbiters: Arbiters, config: RecorderConfig) -> Self {
        Self { arbiters, config, turn: Arc::new(Semaphore::new(1)) }
    }

    /// What they have of that room, and the recorder's time then. `None`: one of them has not answered in time, and without it
    /// the picture would be wrong.
    pub(super) async fn read(&self, room: &RoomName) -> Option<(Vec<Piece>, Instant)> {
        let answers = async {
            let _turn = self.turn.acquire().await.ok()?;
            let asked = self.arbiters.all().into_iter().map(|arbiter| {
                let (answer, answered) = oneshot::channel();
                let room = room.clone();
                // One that is gone drops the question; and of a question that nobody waits for any more nothing is copied.
                arbiter.spawn_fn(move || {
                    if !answer.is_closed() {
                        drop(answer.send(recorder::piece(&room)));
                    }
                });
                answered
            });
            let pieces: Option<Vec<_>> =
                join_all(asked.collect::<Vec<_>>()).await.into_iter().map(Result::ok).collect();
            Some((pieces?.into_iter().flatten().collect(), Instant::now()))
        };
        timeout(ANSWER_WITHIN, answers).await.ok().flatten()
    }
}
