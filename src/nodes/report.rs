//! What is logged and counted of the cluster, on the thread that speaks to Redis.

use std::time::{Duration, Instant};

use super::{
    node::{Node, Standing},
    status::{ClusterStatus, Link},
};
use crate::telemetry::{self, ClusterReport, Event};

/// The figures are reported this often.
const EVERY: Duration = Duration::from_secs(1);
/// While Redis cannot be reached, it is told again this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Nobody is told of shorter ones: a new connection takes a moment.
const MOMENT: Duration = Duration::from_secs(1);

/// What is known of how it stands.
#[derive(Debug)]
pub(super) struct Reporter {
    pub(super) report: ClusterReport,
    status: ClusterStatus,
    reported: Instant,
    failing: Option<Failing>,
    is_superseded: bool,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    since: Instant,
    told: Option<Instant>,
}

impl Reporter {
    pub(super) fn new(status: ClusterStatus) -> Self {
        Self { report: ClusterReport::new(), status, reported: Instant::now(), failing: None, is_superseded: false }
    }

    /// Something has happened.
    pub(super) fn look(&mut self, node: &Node) {
        let now = Instant::now();
        let (rooms, waiting, waiting_bytes) = node.sizes();
        let link = match node.standing() {
            Standing::Away => Link::Away,
            Standing::Catching | Standing::Settling => Link::Catching,
            Standing::Well => Link::Up,
        };
        let superseded = node.is_superseded();
        self.status.change(|figures| {
            if (figures.link == Link::Up) != (link == Link::Up) {
                figures.since = now;
            }
            figures.link = link;
            if link == Link::Up {
                (figures.was_up, figures.error) = (true, None);
            }
            (figures.rooms, figures.waiting, figures.waiting_bytes) = (rooms, waiting, waiting_bytes);
            figures.superseded = superseded;
        });
        self.tell(link, now);
        if superseded && !std::mem::replace(&mut self.is_superseded, true) {
            telemetry::emit(&Event::NodeSuperseded { node: node.name() });
        }
        let report = &mut self.report;
        (report.up, report.rooms) = (link == Link::Up, rooms);
        (report.waiting, report.waiting_bytes) = (waiting, waiting_bytes);
        self.count(node);
        if now >= self.reported + EVERY {
            self.reported = now;
            let report = Box::new(self.report.clone());
            telemetry::tally(|tally| tally.cluster = Some(report));
            telemetry::flush();
        }
    }

    fn count(&mut self, node: &Node) {
        let (report, counted) = (&mut self.report, node.counted());
        (report.holes, report.resyncs, report.malformed) = (counted.holes, counted.resyncs, counted.malformed);
        if counted.generations > report.generations {
            telemetry::emit(&Event::ClusterDataLost { losses: counted.generations });
        }
        if counted.dead > report.dead {
            telemetry::emit(&Event::NodeDead { nodes: counted.dead });
        }
        (report.generations, report.dead) = (counted.generations, counted.dead);
    }

    fn tell(&mut self, link: Link, now: Instant) {
        match link {
            Link::Up => {
                if let Some(Failing { since, told: Some(_) }) = self.failing.take() {
                    telemetry::emit(&Event::RedisRestored { failed: now.saturating_duration_since(since) });
                }
            }
            Link::Away => {
                let failing = self.failing.get_or_insert(Failing { since: now, told: None });
                let due = failing.told.map_or(failing.since + MOMENT, |told| told + TELL_EVERY);
                if now >= due {
                    failing.told = Some(now);
                    let figures = self.status.get();
                    let detail = figures.error.unwrap_or_default();
                    let detail = &*telemetry::redaction::scrub(&detail);
                    telemetry::emit(&Event::RedisFailed { detail, waiting: figures.waiting });
                }
            }
            Link::Catching => {}
        }
    }
}
