//! The shell: messages in, text out.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Instant, SystemTime},
};

use actix::{Actor, Context, Handler, Recipient};
use prometheus::{Registry, TextEncoder, process_collector::ProcessCollector};

use super::{
    collector::CatalogCollector,
    state::{Facts, MetricsState},
};
use crate::{
    messages::metrics::{Record, Scrape, TakeErrors},
    telemetry::{self, TallyReceiver},
};

/// Messages that may wait. Every arbiter sends one a second and merging one takes microseconds, so that this is reached
/// only when this thread stands still; the senders then keep their counts and lose nothing.
const MAILBOX: usize = 64;

/// Aggregates all counts into one Prometheus registry.
#[derive(Debug)]
pub struct MetricsActor {
    registry: Registry,
    state: Arc<Mutex<MetricsState>>,
}

impl MetricsActor {
    /// An actor to be started, on an arbiter of its own.
    ///
    /// # Errors
    /// The catalogue declares a series that Prometheus does not accept; no configuration causes that.
    pub fn new(facts: Facts) -> prometheus::Result<Self> {
        let state = Arc::new(Mutex::new(MetricsState::new(facts, Instant::now())));
        let registry = Registry::new();
        registry.register(Box::new(CatalogCollector::new(Arc::clone(&state))?))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { registry, state })
    }

    fn state(&self) -> MutexGuard<'_, MetricsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        self.state().merge(*tally, Instant::now());
    }
}

impl Handler<Scrape> for MetricsActor {
    type Result = Result<String, prometheus::Error>;

    fn handle(&mut self, _: Scrape, _: &mut Self::Context) -> Self::Result {
        let began = Instant::now();
        // This thread has no tick; and a panic, or a line that was lost, on one without a tick is waiting here.
        if let Some(tally) = telemetry::take() {
            self.state().merge(*tally, began);
        }
        self.state().now = began;
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        self.state().scrape_took = began.elapsed();
        text
    }
}

impl Handler<TakeErrors> for MetricsActor {
    type Result = Result<String, serde_json::Error>;

    fn handle(&mut self, _: TakeErrors, _: &mut Self::Context) -> Self::Result {
        serde_json::to_string(&self.state().errors(Instant::now(), SystemTime::now()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        machine::Machine,
        metrics::BuildInfo,
        protocol::ErrorCode,
        telemetry::{Event, Tally},
    };

    fn actor() -> MetricsActor {
        let facts = Facts {
            build: BuildInfo::current(),
            node: String::new(),
            started: SystemTime::now(),
            limits: Vec::new(),
            last_shutdown: None,
            machine: Machine::read(),
        };
        MetricsActor::new(facts).expect("a catalogue that Prometheus accepts")
    }

    fn tally(bytes_in: u64) -> Box<Tally> {
        let mut tally = Tally::new();
        tally.bytes_in = bytes_in;
        Box::new(tally)
    }

    #[track_caller]
    fn assert_line(text: &str, line: &str) {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }

    #[actix::test]
    async fn what_is_recorded_is_scraped() {
        let metrics = actor().start();
        let send = sink(metrics.clone().recipient());
        for bytes in [5, 7] {
            send(tally(bytes)).expect("room in the mailbox");
        }
        let text = metrics.send(Scrape).await.expect("an answer").expect("text");
        assert_line(&text, "switchboard_message_bytes_total{direction=\"in\"} 12");
        assert_line(&text, "# TYPE switchboard_connections gauge");
    }

    #[actix::test]
    async fn what_finds_no_room_comes_back_whole_and_nothing_is_lost() {
        let metrics = actor().start();
        let send = sink(metrics.clone().recipient());
        let mut accepted = 0;
        // Nobody reads the mailbox before the first await.
        let refused = loop {
            match send(tally(1)) {
                Ok(()) => accepted += 1,
                Err(refused) => break refused,
            }
            assert!(accepted < 1000, "the mailbox has no bound");
        };
        assert_eq!(refused.bytes_in, 1);
        let text = metrics.send(Scrape).await.expect("an answer").expect("text");
        assert_line(&text, &format!("switchboard_message_bytes_total{{direction=\"in\"}} {accepted}"));
    }

    #[actix::test]
    async fn what_happened_on_the_metrics_thread_is_scraped_too() {
        let metrics = actor().start();
        let context = telemetry::Context::default();
        telemetry::emit(&Event::FrameRefused { context, code: ErrorCode::NotInRoom, detail: "no room" });
        let text = metrics.send(Scrape).await.expect("an answer").expect("text");
        let labels = "class=\"ROOM_STATE\",code=\"not_in_room\",severity=\"low\"";
        assert_line(&text, &format!("switchboard_errors_total{{{labels}}} 1"));
        assert_line(&text, "switchboard_error_fingerprints 1");
        let report = metrics.send(TakeErrors).await.expect("an answer").expect("JSON");
        let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        let groups = report["groups"].as_array().map_or(0, Vec::len);
        assert_eq!((&report["total"]["low"], &report["last24h"]["low"], groups), (&1.into(), &1.into(), 1));
        assert_eq!(report["groups"][0]["examples"][0]["cause"], "no room");
        assert_eq!(report["groups"][0]["code"], "not_in_room");
    }

    #[actix::test]
    async fn process_series_are_those_of_the_reference() {
        let page = include_str!("../../docs/metrics.md");
        let text = actor().start().send(Scrape).await.expect("an answer").expect("text");
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE process_"));
        let names: Vec<&str> = types.filter_map(|rest| rest.split(' ').next()).collect();
        assert_eq!(names.len(), 7);
        for name in names {
            assert!(page.contains(&format!("| `process_{name}` |")), "docs/metrics.md lacks process_{name}");
        }
    }
}
