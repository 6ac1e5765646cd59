//! The shell: what was counted comes in as messages, and is aggregated here.

use std::time::Instant;

use actix::{Actor, Context, Handler, Recipient};

use super::state::Shared;
use crate::{messages::metrics::Record, telemetry::TallyReceiver};

/// Messages that may wait. Every arbiter sends one a second and merging one takes microseconds, so that this is reached
/// only when this thread stands still; the senders then keep their counts and lose nothing.
const MAILBOX: usize = 64;

/// Aggregates all counts into one state, which one Prometheus registry shows.
#[derive(Debug)]
pub(super) struct MetricsActor {
    pub(super) shared: Shared,
}

impl Actor for MetricsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Record> for MetricsActor {
    type Result = ();

    fn handle(&mut self, Record(tally): Record, _: &mut Self::Context) {
        self.shared.lock().merge(*tally, Instant::now());
    }
}

/// The receiver for [`telemetry::send_tallies_to`]: posts tallies to the metrics actor, gives back what it has no room for.
/// All threads share the one port: each clone of it would bring a free mailbox slot.
#[must_use]
pub fn sink(port: Recipient<Record>) -> TallyReceiver {
    Box::new(move |tally| {
        port.try_send(Record(tally)).map_err(|refused| {
            let Record(tally) = refused.into_inner();
            tally
        })
    })
}
