//! The thread that asks, what changed between two of its rounds, and who is told.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    check::{check, is_possible},
    failure::Failure,
    resolver::Resolver,
    secure::Trust,
    target::{Target, targets},
};
use crate::{
    late::Lateness,
    telemetry::{self, Event, IceKind, IceOutcome, IceReport, IceTransport},
};

/// Servers that are asked, at most: more than any client uses, and what a round of silent ones takes stays within minutes. Those
/// behind are counted as unchecked.
const MOST: usize = 32;
/// A check that ended this much later than it had to was stopped with the process, or with the machine, and says nothing: nothing
/// that it waits for takes longer than its timeout.
const LATE: Duration = Duration::from_secs(1);

/// What is asked, and how often.
pub struct IceChecks {
    /// Makes the list as a client would be told it now: a JSON array of `RTCIceServer`.
    pub list: Box<dyn Fn() -> String + Send>,
    /// `ice.check_interval_ms`.
    pub interval: Duration,
    /// `ice.check_timeout_ms`.
    pub timeout: Duration,
    /// `ice.ca_file`.
    pub ca_file: PathBuf,
}

/// What the latest round found, for `/health`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceHealth {
    /// How long the slowest answer took.
    pub slowest: Duration,
    /// What is wrong, if anything.
    pub problem: Option<String>,
}

impl IceChecks {
    /// Asks on a thread of its own, from now on, until nobody wants to know any more.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(self) -> io::Result<watch::Receiver<IceHealth>> {
        let (publish, health) = watch::channel(IceHealth::default());
        thread::Builder::new().name("ice-checks".into()).spawn(move || self.run(&publish)).map(|_| health)
    }

    fn run(&self, publish: &watch::Sender<IceHealth>) {
        let (mut known, mut resolver) = (Known::default(), Resolver::new());
        let mut former = Round::default();
        while !publish.is_closed() {
            let round = self.round(&former, &mut resolver);
            known.compare(&round, Instant::now());
            publish.send_replace(round.health());
            round.report();
            former = round;
            thread::sleep(self.interval);
        }
    }

    fn round(&self, former: &Round, resolver: &mut Resolver) -> Round {
        let (mut round, trust) = (Round::default(), Trust::new(&self.ca_file));
        for (at, target) in targets(&(self.list)()).iter().enumerate() {
            let begun = Instant::now();
            let found = (at < MOST && is_possible(target)).then(|| check(target, self.timeout, resolver, &trust));
            if Lateness::at(Instant::now(), begun + self.timeout, LATE).is_late {
                round.carry(target, former);
            } else {
                round.add(target, found);
            }
        }
        round
    }
}

/// What one round found.
#[derive(Default)]
struct Round {
    report: IceReport,
    outcomes: Vec<(IceKind, IceTransport, IceOutcome)>,
    took: Vec<Duration>,
    failures: Vec<(Target, Arc<Failure>)>,
    well: Vec<String>,
}

impl Round {
    /// `None`: it was not asked.
    fn add(&mut self, target: &Target, found: Option<Result<Duration, Failure>>) {
        let outcome = match &found {
            None => IceOutcome::Unchecked,
            Some(Ok(_)) => IceOutcome::Answered,
            Some(Err(failure)) => failure.outcome(),
        };
        self.outcomes.push((target.kind, target.transport, outcome));
        match found {
            None => {}
            Some(Ok(took)) => {
                self.report.add(target.kind, target.transport, false);
                self.took.push(took);
                self.well.push(target.url.clone());
            }
            Some(Err(failure)) => {
                self.report.add(target.kind, target.transport, true);
                self.failures.push((target.clone(), Arc::new(failure)));
            }
        }
    }

    /// Nothing new is known of it: it is as it was, and is not counted again.
    fn carry(&mut self, target: &Target, former: &Self) {
        let failure = former.failures.iter().find(|(failed, _)| failed.url == target.url).map(|(_, failure)| failure);
        if let Some(failure) = failure {
            self.report.add(target.kind, target.transport, true);
            self.failures.push((target.clone(), Arc::clone(failure)));
        } else if former.well.contains(&target.url) {
            self.report.add(target.kind, target.transport, false);
            self.well.push(target.url.clone());
        }
    }

    fn health(&self) -> IceHealth {
        let all = self.failures.len() + self.well.len();
        // What it says is for everybody: the URL is, too, and causes below it are for the log.
        let problem = self.failures.first().map(|(target, failure)| {
            format!("{} of {all} STUN and TURN servers do not work: {}: {failure}", self.failures.len(), target.url)
        });
        IceHealth { slowest: self.took.iter().max().copied().unwrap_or_default(), problem }
    }

    fn report(&self) {
        telemetry::tally(|t| {
            t.ice_report = Some(self.report);
            for &(kind, transport, outcome) in &self.outcomes {
                t.count_ice_check(kind, transport, outcome);
            }
            for &took in &self.took {
                t.ice_check_time.observe(took);
            }
        });
        telemetry::flush();
    }
}

/// Since when which of them does not work.
#[derive(Default)]
struct Known(BTreeMap<String, Instant>);

impl Known {
    /// Tells of each that began or ceased to fail, and forgets those that are not on the list any more.
    fn compare(&mut self, round: &Round, now: Instant) {
        for (target, failure) in &round.failures {
            self.0.entry(target.url.clone()).or_insert_with(|| {
                telemetry::emit(&Event::IceServerFailed { url: &target.url, error: &**failure });
                now
            });
        }
        for url in &round.well {
            if let Some(since) = self.0.remove(url) {
                let failed = now.saturating_duration_since(since);
                telemetry::emit(&Event::IceServerRestored { url, failed });
            }
        }
        self.0.retain(|url, _| round.failures.iter().any(|(target, _)| target.url == *url));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ice_checks::resolver;

    fn round(list: &str, found: Vec<Option<Result<Duration, Failure>>>) -> Round {
        let mut round = Round::default();
        for (target, found) in targets(list).iter().zip(found) {
            round.add(target, found);
        }
        round
    }

    const LIST: &str = r#"[{"urls":["stun:a","turn:b","turns:c"],"username":"u","credential":"c"}]"#;

    #[test]
    fn health_names_the_first_that_fails_and_how_many_do() {
        let silent = Failure::Silent { timeout_ms: 5000 };
        let took = Duration::from_millis(3);
        let health = round(LIST, vec![Some(Ok(took)), Some(Err(silent)), None]).health();
        let problem = health.problem.expect("a problem");
        assert_eq!(problem, "1 of 2 STUN and TURN servers do not work: turn:b: no answer within 5000 ms");
        assert_eq!(health.slowest, took);
        assert_eq!(round(LIST, vec![Some(Ok(took)), Some(Ok(took)), None]).health().problem, None);
        assert_eq!(round("[]", vec![]).health(), IceHealth::default());
    }

    #[test]
    fn a_round_counts_each_server_by_its_protocol() {
        let denied = Failure::Refused { code: 401 };
        let found = round(LIST, vec![Some(Ok(Duration::ZERO)), Some(Err(denied)), None]);
        let (stun, turn) = ((IceKind::Stun, IceTransport::Udp), (IceKind::Turn, IceTransport::Udp));
        assert_eq!(
            found.outcomes,
            [
                (stun.0, stun.1, IceOutcome::Answered),
                (turn.0, turn.1, IceOutcome::Denied),
                (IceKind::Turn, IceTransport::Tls, IceOutcome::Unchecked),
            ]
        );
        assert_eq!(found.report.of(stun.0, stun.1), (1, 0));
        assert_eq!(found.report.of(turn.0, turn.1), (1, 1));
        assert_eq!(found.report.of(IceKind::Turn, IceTransport::Tls), (0, 0));
    }

    #[test]
    fn a_check_that_was_stopped_leaves_its_server_as_it_was() {
        let refused = Failure::Refused { code: 486 };
        let former = round(LIST, vec![Some(Ok(Duration::ZERO)), Some(Err(refused)), None]);
        let mut carried = Round::default();
        for target in &targets(LIST) {
            carried.carry(target, &former);
        }
        let problem = carried.health().problem.expect("it does not work, for all that is known");
        assert_eq!(problem, "1 of 2 STUN and TURN servers do not work: turn:b: it answered with error 486");
        assert_eq!(carried.report, former.report);
        assert!(carried.outcomes.is_empty() && carried.took.is_empty(), "it was not asked");
        let since = Instant::now();
        let mut known = Known([("turn:b".to_owned(), since)].into());
        known.compare(&carried, since + Duration::from_secs(9));
        assert_eq!(known.0.get("turn:b"), Some(&since), "it still fails");
        let mut first = Round::default();
        first.carry(&targets(LIST)[0], &Round::default());
        assert_eq!(first.health(), IceHealth::default(), "it was never asked");
    }

    #[test]
    fn a_name_that_is_looked_up_for_too_long_is_a_server_that_fails_and_no_process_that_was_stopped() {
        let checks = IceChecks {
            list: Box::new(|| r#"[{"urls":["stun:slow.example"]}]"#.to_owned()),
            interval: Duration::ZERO,
            timeout: Duration::from_millis(40),
            ca_file: PathBuf::new(),
        };
        let (mut resolver, begun, _stays) = resolver::tests::slow();
        let mut former = Round::default();
        for _ in 0..2 {
            let round = checks.round(&former, &mut resolver);
            assert_eq!(round.outcomes, [(IceKind::Stun, IceTransport::Udp, IceOutcome::Unresolved)]);
            assert_eq!(round.report.of(IceKind::Stun, IceTransport::Udp), (1, 1));
            assert!(round.health().problem.expect("a problem").ends_with("its name was not resolved"));
            former = round;
        }
        assert!(begun.load(std::sync::atomic::Ordering::Relaxed) <= 1);
    }

    #[test]
    fn a_server_is_told_of_when_it_begins_to_fail_and_forgotten_with_the_list() {
        let fails = || Some(Err(Failure::Silent { timeout_ms: 1 }));
        let now = Instant::now();
        let mut known = Known::default();
        known.compare(&round(LIST, vec![fails(), fails(), None]), now);
        assert_eq!(known.0.len(), 2);
        let later = now + Duration::from_secs(9);
        known.compare(&round(LIST, vec![fails(), Some(Ok(Duration::ZERO)), None]), later);
        assert_eq!(known.0.into_iter().collect::<Vec<_>>(), [("stun:a".to_owned(), now)], "since when it fails");
        let mut known = Known([("stun:gone".to_owned(), now)].into());
        known.compare(&round(LIST, vec![Some(Ok(Duration::ZERO)), Some(Ok(Duration::ZERO)), None]), later);
        assert!(known.0.is_empty());
    }
}
