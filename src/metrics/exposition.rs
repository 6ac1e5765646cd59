//! What there is to read of all that was counted. Whoever reads renders it by itself: a scrape waits neither in the mailbox
//! of the actor that aggregates the counts, nor behind what the threads report to it.

use std::time::{Instant, SystemTime};

use actix::{Actor, ArbiterHandle, Recipient};
use prometheus::{Registry, TextEncoder, process_collector::ProcessCollector};

use super::{
    actor::MetricsActor,
    collector::CatalogCollector,
    state::{Facts, MetricsState, Shared},
};
use crate::{messages::metrics::Record, telemetry};

/// All that was counted, for who reads it. Cloning shares it.
#[derive(Clone)]
pub struct Exposition {
    registry: Registry,
    shared: Shared,
    actor: Recipient<Record>,
}

impl Exposition {
    /// Starts the metrics actor on that arbiter.
    ///
    /// # Errors
    /// The catalogue declares a series that Prometheus does not accept; no configuration causes that.
    pub fn start(facts: Facts, on: &ArbiterHandle) -> prometheus::Result<Self> {
        let shared = Shared::new(MetricsState::new(facts, Instant::now()));
        let registry = Registry::new();
        registry.register(Box::new(CatalogCollector::new(shared.clone())?))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let actor = MetricsActor { shared: shared.clone() };
        let actor = MetricsActor::start_in_arbiter(on, move |_| actor).recipient();
        Ok(Self { registry, shared, actor })
    }

    /// Where the threads send what they have counted.
    #[must_use]
    pub fn records(&self) -> Recipient<Record> {
        self.actor.clone()
    }

    /// Whether the actor that aggregates is there: without it nothing changes any more.
    #[must_use]
    pub fn is_fed(&self) -> bool {
        self.actor.connected()
    }

    /// The registry in Prometheus text format 0.0.4.
    pub fn text(&self) -> prometheus::Result<String> {
        let began = Instant::now();
        self.take_own(began);
        self.shared.lock().now = began;
        let text = TextEncoder::new().encode_to_string(&self.registry.gather());
        self.shared.lock().scrape_took = began.elapsed();
        text
    }

    /// The latest errors, grouped, in JSON.
    pub fn errors(&self) -> serde_json::Result<String> {
        let now = Instant::now();
        self.take_own(now);
        let report = self.shared.lock().errors(now, SystemTime::now());
        serde_json::to_string(&report)
    }

    /// The thread that reads has no tick to report what it has counted; and a panic, or a line that was lost, on one without
    /// a tick is waiting, too.
    fn take_own(&self, now: Instant) {
        if let Some(tally) = telemetry::take() {
            self.shared.lock().merge(*tally, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::Arbiter;

    use super::*;
    use crate::{
        machine::Machine,
        metrics::{BuildInfo, sink},
        protocol::ErrorCode,
        telemetry::{Event, Tally},
    };

    fn start() -> Exposition {
        let facts = Facts {
            build: BuildInfo::current(),
            node: String::new(),
            started: SystemTime::now(),
            limits: Vec::new(),
            last_shutdown: None,
            machine: Machine::read(),
        };
        Exposition::start(facts, &Arbiter::current()).expect("a catalogue that Prometheus accepts")
    }

    /// Lets the actor handle what was sent to it.
    async fn settle() {
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
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
        let metrics = start();
        let send = sink(metrics.records());
        for bytes in [5, 7] {
            send(tally(bytes)).expect("room in the mailbox");
        }
        settle().await;
        let text = metrics.text().expect("text");
        assert_line(&text, "switchboard_message_bytes_total{direction=\"in\"} 12");
        assert_line(&text, "# TYPE switchboard_connections gauge");
    }

    #[actix::test]
    async fn what_finds_no_room_comes_back_whole_and_nothing_is_lost() {
        let metrics = start();
        settle().await;
        let send = sink(metrics.records());
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
        let text = metrics.text().expect("whoever scrapes waits for nothing that waits there");
        assert_line(&text, "switchboard_message_bytes_total{direction=\"in\"} 0");
        settle().await;
        let text = metrics.text().expect("text");
        assert_line(&text, &format!("switchboard_message_bytes_total{{direction=\"in\"}} {accepted}"));
    }

    #[actix::test]
    async fn what_happened_on_the_metrics_thread_is_scraped_too() {
        let metrics = start();
        let context = telemetry::Context::default();
        telemetry::emit(&Event::FrameRefused { context, code: ErrorCode::NotInRoom, detail: "no room" });
        let text = metrics.text().expect("text");
        let labels = "class=\"ROOM_STATE\",code=\"not_in_room\",severity=\"low\"";
        assert_line(&text, &format!("switchboard_errors_total{{{labels}}} 1"));
        assert_line(&text, "switchboard_error_fingerprints 1");
        let report = metrics.errors().expect("JSON");
        let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
        let groups = report["groups"].as_array().map_or(0, Vec::len);
        assert_eq!((&report["total"]["low"], &report["last24h"]["low"], groups), (&1.into(), &1.into(), 1));
        assert_eq!(report["groups"][0]["examples"][0]["cause"], "no room");
        assert_eq!(report["groups"][0]["code"], "not_in_room");
    }

    #[actix::test]
    async fn process_series_are_those_of_the_reference() {
        let page = include_str!("../../docs/metrics.md");
        let text = start().text().expect("text");
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE process_"));
        let names: Vec<&str> = types.filter_map(|rest| rest.split(' ').next()).collect();
        assert_eq!(names.len(), 7);
        for name in names {
            assert!(page.contains(&format!("| `process_{name}` |")), "docs/metrics.md lacks process_{name}");
        }
    }
}
