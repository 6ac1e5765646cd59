//! What operators do to rooms: asked of the supervisor, which answers when it is done.

use std::time::Duration;

use actix::{Addr, Handler, Message, dev::ToEnvelope};
use tokio::time::timeout;

use crate::{messages::moderation::ModerationError, supervisor::Supervisor};

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OrderError {
    /// It is not known whether it was: the answer has not come in time.
    NoAnswer,
    /// The supervisor says so.
    Refused(ModerationError),
}

/// The way to the supervisor. What waits there is bounded by the sockets of the listener: each waits for its answer.
#[derive(Debug, Clone)]
pub struct Moderators(Addr<Supervisor>);

impl Moderators {
    /// To that supervisor.
    #[must_use]
    pub fn new(supervisor: Addr<Supervisor>) -> Self {
        Self(supervisor)
    }

    /// Asks, and waits for what became of it.
    pub(super) async fn ask<M, T>(&self, order: M) -> Result<T, OrderError>
    where
        M: Message<Result = Result<T, ModerationError>> + Send + 'static,
        T: Send + 'static,
        Supervisor: Handler<M>,
        <Supervisor as actix::Actor>::Context: ToEnvelope<Supervisor, M>,
    {
        let answer = timeout(ANSWER_WITHIN, self.0.send(order)).await;
        answer.ok().and_then(Result::ok).ok_or(OrderError::NoAnswer)?.map_err(OrderError::Refused)
    }
}
