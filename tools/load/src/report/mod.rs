//! What comes out of a run: figures, latencies, counts, and whether thresholds were kept. JSON for machines, a table for
//! people.

pub mod progress;
pub mod table;

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use crate::{
    measure::latency::{Latency, Quantiles},
    swarm::Tally,
};

/// One number with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Stable name, for machines.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// One threshold, and what was measured against it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is demanded, in words.
    pub what: String,
    /// What was measured.
    pub value: f64,
    /// Whether it was kept.
    pub kept: bool,
}

/// The result of one run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The scenario.
    pub scenario: String,
    /// The server's protocol.
    pub protocol: String,
    /// What it was asked to do.
    pub parameters: BTreeMap<String, f64>,
    /// What came out, in the order of importance.
    pub figures: Vec<Figure>,
    /// Percentiles in microseconds, by what was timed.
    pub latencies: BTreeMap<String, Quantiles>,
    /// What was counted (see [`Tally`]).
    pub counts: serde_json::Value,
    /// Thresholds.
    pub checks: Vec<Check>,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new(scenario: &str, protocol: &str) -> Self {
        Self {
            scenario: scenario.into(),
            protocol: protocol.into(),
            parameters: BTreeMap::new(),
            figures: Vec::new(),
            latencies: BTreeMap::new(),
            counts: serde_json::Value::Null,
            checks: Vec::new(),
        }
    }

    /// Notes what the run was asked to do.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<f64>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// Adds a figure; what is not a number (a quotient by zero) is left out.
    pub fn figure(&mut self, name: &str, value: f64, unit: &str) {
        if value.is_finite() {
            self.figures.push(Figure { name: name.into(), value, unit: unit.into() });
        }
    }

    /// Adds a distribution, unless nothing was recorded.
    pub fn latency(&mut self, name: &str, latency: &Latency) {
        if let Some(quantiles) = latency.quantiles() {
            self.latencies.insert(name.into(), quantiles);
        }
    }

    /// Adds the counts and the latencies that every run has, and demands what every run demands: that nothing was
    /// changed, misdirected or disordered on its way.
    pub fn tally(&mut self, tally: &Tally) {
        self.latency("connect", &tally.connect);
        self.latency("join", &tally.join);
        self.counts = serde_json::to_value(tally).unwrap_or_default();
        let wrong = tally.corrupt + tally.misdirected + tally.misordered;
        self.check("nothing changed, misdirected or out of order", wrong as f64, wrong == 0);
    }

    /// Adds a threshold.
    pub fn check(&mut self, what: &str, value: f64, kept: bool) {
        self.checks.push(Check { what: what.into(), value, kept });
    }

    /// Whether all thresholds were kept.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|c| c.kept)
    }

    /// The figure of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|f| f.name == name).map(|f| f.value)
    }

    /// Writes the report as JSON.
    pub fn write_json(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
    }

    /// Reads what [`Report::write_json`] wrote.
    pub fn read_json(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_its_file() {
        let mut report = Report::new("relay", "switchboard").parameter("rooms", 3);
        report.figure("cpu", 5.25, "µs");
        report.figure("of nothing", f64::NAN, "µs");
        report.tally(&Tally::default());
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("report.json");
        report.write_json(&path).unwrap();
        let read = Report::read_json(&path).unwrap();
        assert_eq!((read.value("cpu"), read.value("of nothing")), (Some(5.25), None));
        assert_eq!(read.parameters.get("rooms").copied(), Some(3.0));
        assert!(read.passed());
    }

    #[test]
    fn one_broken_threshold_fails_the_run() {
        let mut report = Report::new("spike", "switchboard");
        report.check("fine", 1.0, true);
        assert!(report.passed());
        report.check("too slow", 9.0, false);
        assert!(!report.passed());
    }
}
