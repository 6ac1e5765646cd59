//! What is measured: scenarios with their arguments, and the figures read from their reports.

use super::Contestant;
use crate::report::Report;

/// The rows of the second table, by the names of their measures: what more peers, more rooms and larger rooms cost.
pub(super) const GROWTH: [&str; 15] = [
    "relay_w1",
    "relay_1000",
    "relay_5000",
    "relay_crowd",
    "memory_1000",
    "memory_4000",
    "memory",
    "memory_18900",
    "join_1000",
    "join",
    "join_16000",
    "join_room_1",
    "join_room_10",
    "join_room_20",
    "join_room_40",
];

/// How many times the baseline's figure Switchboard's may be.
pub(super) const AIMS: [(&str, f64); 8] = [
    ("relay_w1", 1.5),
    ("relay_w8", 3.0),
    ("paced_p50", 1.25),
    ("paced_p99", 1.5),
    ("mesh", 2.2),
    ("broadcast", 1.2),
    ("join", 3.0),
    ("idle", 1.5),
];

/// One figure of a trial: a row of the table.
#[derive(Debug, Clone)]
pub struct Measure {
    /// The row's name in the results file.
    pub name: &'static str,
    /// The row's heading.
    pub title: &'static str,
    /// Its unit.
    pub unit: &'static str,
    source: Source,
}

#[derive(Debug, Clone, Copy)]
enum Source {
    Figure(&'static str),
    P50(&'static str),
    P99(&'static str),
}

impl Measure {
    /// Its value in a report.
    #[must_use]
    pub fn read(&self, report: &Report) -> Option<f64> {
        match self.source {
            Source::Figure(name) => report.value(name),
            Source::P50(name) => report.latencies.get(name).map(|q| q.p50),
            Source::P99(name) => report.latencies.get(name).map(|q| q.p99),
        }
    }
}

/// One run of the generator against a fresh server.
#[derive(Debug, Clone)]
pub struct Trial {
    /// Its name on the command line.
    pub name: &'static str,
    /// The scenario and its arguments.
    pub scenario: Vec<String>,
    /// The same, smaller, run before it: compilers that compile while running (V8) have then done so.
    pub warm: Option<Vec<String>>,
    /// What is read from its report.
    pub measures: Vec<Measure>,
    /// Whether garbage is to be collected before memory is read.
    pub collects: bool,
    /// Which servers run it.
    pub runners: Runners,
}

/// The servers that run a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runners {
    /// All of them.
    All,
    /// Switchboard: it asks for what no other has.
    Ours,
    /// Switchboard with its log, and the baseline: a step of growth.
    OursAndBaseline,
}

impl Runners {
    /// Whether that server is one of them.
    #[must_use]
    pub fn include(self, contestant: Contestant) -> bool {
        match self {
            Self::All => true,
            Self::Ours => contestant.is_ours(),
            Self::OursAndBaseline => matches!(contestant, Contestant::Switchboard | Contestant::Baseline),
        }
    }
}

fn measure(name: &'static str, title: &'static str, unit: &'static str, source: Source) -> Measure {
    Measure { name, title, unit, source }
}

fn trial(name: &'static str, scenario: &str, warm: &str, measures: Vec<Measure>) -> Trial {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let warm = (!warm.is_empty()).then(|| words(warm));
    let runners = if name == "resumable" { Runners::Ours } else { Runners::All };
    Trial { name, scenario: words(scenario), warm, measures, collects: name == "memory", runners }
}

/// All trials in the order of the rows. `quick` ones are over in seconds and measure nothing.
#[must_use]
pub(super) fn all(quick: bool) -> Vec<Trial> {
    let sized = |full: u32, short: u32| if quick { short } else { full };
    let seconds = sized(5, 1);
    let (joins, hold) = (sized(5000, 200), sized(30, 2));
    let many = sized(10_000, 200);
    let mut trials = relays(seconds, sized(9450, 50));
    trials.extend(calls(sized(50, 5), sized(200, 10)));
    trials.extend([
        trial(
            "broadcast",
            &format!("broadcast --receivers 50 --seconds {seconds}"),
            "",
            vec![measure("broadcast", "broadcast to 50, CPU per delivery", "µs", Source::Figure("cpu_per_delivery"))],
        ),
        trial(
            "join",
            &format!("join --peers {joins}"),
            "join --peers 1000",
            vec![measure("join", "connect and join, 2500 rooms of 2, CPU", "µs", Source::Figure("cpu_per_join"))],
        ),
        trial(
            "churn",
            &format!("churn --seconds {seconds}"),
            "join --peers 1000",
            vec![measure("churn", "leave and join again, CPU", "µs", Source::Figure("cpu_per_cycle"))],
        ),
        trial(
            "memory",
            &format!("memory --peers {many} --hold {seconds}"),
            "memory --peers 400 --hold 1",
            vec![measure(
                "memory",
                "memory per connection after an SDP exchange, 10 000 of them",
                "B",
                Source::Figure("memory_per_connection"),
            )],
        ),
        trial(
            "resumable",
            &format!("memory --peers {many} --hold {} --resumable", seconds * 6),
            "memory --peers 400 --hold 1 --resumable",
            vec![measure(
                "memory_resumable",
                "the same of clients that could come back, all acknowledged",
                "B",
                Source::Figure("memory_per_connection"),
            )],
        ),
        trial(
            "idle",
            &format!("idle --peers {many} --hold {hold} --heartbeat 30"),
            "",
            vec![measure(
                "idle",
                "10 000 idle connections, heartbeat 30 s, CPU per connection and minute",
                "µs",
                Source::Figure("cpu_per_connection_minute"),
            )],
        ),
    ]);
    trials.extend(growth(quick));
    trials
}

/// The steps between the smallest and the largest of the other trials.
fn growth(quick: bool) -> Vec<Trial> {
    let sized = |full: u32| if quick { full.div_ceil(100) } else { full };
    let seconds = if quick { 1 } else { 5 };
    let step = |name, scenario: String, warm, title, unit, source| Trial {
        runners: Runners::OursAndBaseline,
        ..trial(name, &scenario, warm, vec![measure(name, title, unit, Source::Figure(source))])
    };
    let relay = |name, silent, title| {
        let silent = sized(silent);
        let scenario = format!("relay --rooms 50 --window 1 --silent {silent} --seconds {seconds}");
        step(name, scenario, "", title, "µs", "cpu_per_message")
    };
    let memory = |name, peers, title| {
        let scenario = format!("memory --peers {} --hold {seconds}", sized(peers));
        step(name, scenario, "memory --peers 400 --hold 1", title, "B", "memory_per_connection")
    };
    let join = |name, peers, size, title| {
        let scenario = format!("join --peers {} --room-size {size}", sized(peers));
        step(name, scenario, "join --peers 1000", title, "µs", "cpu_per_join")
    };
    vec![
        relay("relay_1000", 450, "the same among 1000 peers"),
        relay("relay_5000", 2450, "the same among 5000 peers"),
        memory("memory_1000", 1000, "memory per connection, 1000 of them"),
        memory("memory_4000", 4000, "memory per connection, 4000 of them"),
        memory("memory_18900", 18_900, "memory per connection, 18 900 of them"),
        join("join_1000", 1000, 2, "connect and join, 500 rooms"),
        join("join_16000", 16_000, 2, "connect and join, 8000 rooms"),
        join("join_room_1", 4000, 1, "connect and join, each alone in a room"),
        join("join_room_10", 4000, 10, "connect and join, rooms of 10"),
        join("join_room_20", 4000, 20, "connect and join, rooms of 20"),
        join("join_room_40", 4000, 40, "connect and join, rooms of 40"),
    ]
}

/// `silent` further pairs sit among the talking ones in the trial of growth.
fn relays(seconds: u32, silent: u32) -> Vec<Trial> {
    let cpu = |name, title| vec![measure(name, title, "µs", Source::Figure("cpu_per_message"))];
    let paced = vec![
        measure("paced_p50", "4000 messages/s over 200 rooms, one way, p50", "µs", Source::P50("one_way")),
        measure("paced_p99", "4000 messages/s over 200 rooms, one way, p99", "µs", Source::P99("one_way")),
    ];
    vec![
        trial(
            "relay",
            &format!("relay --rooms 50 --window 1 --seconds {seconds}"),
            "",
            cpu("relay_w1", "relay 2 kB, 50 pairs, window 1, CPU per message"),
        ),
        trial(
            "window",
            &format!("relay --rooms 50 --window 8 --seconds {seconds}"),
            "",
            cpu("relay_w8", "relay 2 kB, 50 pairs, window 8, CPU per message"),
        ),
        trial(
            "pair",
            &format!("relay --rooms 1 --window 1 --seconds {seconds}"),
            "",
            cpu("relay_pair", "relay 2 kB, one pair, window 1, CPU per message"),
        ),
        trial(
            "crowd",
            &format!("relay --rooms 50 --window 1 --silent {silent} --seconds {seconds}"),
            "",
            cpu("relay_crowd", "the same 50 pairs among 19 000 peers, CPU per message"),
        ),
        trial(
            "unloaded",
            &format!("relay --rooms 1 --think 20 --seconds {seconds}"),
            "relay --rooms 1 --seconds 2",
            vec![measure(
                "unloaded",
                "offer to answer, one pair, 20 ms apart, p50",
                "µs",
                Source::P50("offer_to_answer"),
            )],
        ),
        trial("paced", &format!("paced --seconds {}", seconds * 2), "relay --seconds 2", paced),
    ]
}

fn calls(rooms: u32, pairs: u32) -> Vec<Trial> {
    vec![
        trial(
            "mesh",
            &format!("mesh --rooms {rooms} --room-size 10"),
            "mesh --rooms 10 --room-size 10",
            vec![
                measure("mesh", "mesh of 10, CPU per pair (joins included)", "µs", Source::Figure("cpu_per_pair")),
                measure("mesh_p50", "mesh of 10, offer to answer, p50", "µs", Source::P50("offer_to_answer")),
            ],
        ),
        trial(
            "call",
            &format!("mesh --rooms {pairs} --room-size 2 --concurrency 1"),
            "mesh --rooms 10 --room-size 10",
            vec![measure("call_p50", "one call at a time, offer to answer, p50", "µs", Source::P50("offer_to_answer"))],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser as _;

    use super::*;
    use crate::{cli::Cli, measure::latency::Latency};

    #[test]
    fn every_trial_is_a_command_line_that_the_generator_understands() {
        for trial in [all(true), all(false)].concat() {
            for words in [Some(trial.scenario), trial.warm].into_iter().flatten() {
                let line = std::iter::once("switchboard-load".to_owned()).chain(words);
                Cli::try_parse_from(line).unwrap();
            }
        }
    }

    #[test]
    fn names_are_unique_and_values_are_found() {
        let measures: Vec<Measure> = all(false).into_iter().flat_map(|t| t.measures).collect();
        let names: BTreeSet<_> = measures.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), measures.len());
        assert!(GROWTH.iter().chain(AIMS.iter().map(|(name, _)| name)).all(|name| names.contains(name)));
        let mut report = Report::new("paced", "ws");
        let mut latency = Latency::default();
        latency.record(7000);
        report.latency("one_way", &latency);
        report.figure("cpu_per_message", 5.0, "µs");
        let read = |name: &str| measures.iter().find(|m| m.name == name).unwrap().read(&report);
        assert_eq!(read("relay_w1"), Some(5.0));
        assert!((read("paced_p99").unwrap() - 7.0).abs() < 0.01);
        assert_eq!(read("join"), None);
    }
}
