//! Values of all rounds, and what is said of them.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    Contestant,
    trial::{self, GROWTH, Runners},
};
use crate::{measure::machine::Machine, report::table::number};

/// Everything a comparison found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Results {
    /// Where.
    pub machine: Machine,
    /// What: programs and their versions.
    pub versions: Vec<(String, String)>,
    /// How often each trial was run.
    pub repeats: u32,
    /// Whether the trials were too short to mean anything.
    pub quick: bool,
    /// Values by measure and server, one for each round.
    pub values: BTreeMap<String, BTreeMap<Contestant, Vec<f64>>>,
    /// Trials that a server did not pass: their figures are left out.
    pub failures: Vec<String>,
}

/// The middle and the ends of some values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of nothing there is none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() {
            0 => return None,
            n if n % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        };
        Some(Self { median, min: sorted[0], max: *sorted.last()? })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [median, min, max] = [self.median, self.min, self.max].map(number);
        // One round, or rounds that agree to three digits, have no ends worth showing.
        if min == max { f.write_str(&median) } else { write!(f, "{median} ({min}–{max})") }
    }
}

impl Results {
    /// Adds one value.
    pub fn add(&mut self, measure: &str, contestant: Contestant, value: f64) {
        self.values.entry(measure.into()).or_default().entry(contestant).or_default().push(value);
    }

    /// What was measured of one server.
    #[must_use]
    pub fn spread(&self, measure: &str, contestant: Contestant) -> Option<Spread> {
        Spread::of(self.values.get(measure)?.get(&contestant)?)
    }

    /// The servers for which there is anything, in the order of the columns.
    #[must_use]
    pub fn contestants(&self) -> Vec<Contestant> {
        let measured = |c: &Contestant| self.values.values().any(|v| v.contains_key(c));
        Contestant::ALL.into_iter().filter(measured).collect()
    }

    /// The measures of the comparison for which there is anything, in the order of the rows.
    #[must_use]
    pub fn measures(&self) -> Vec<trial::Measure> {
        self.measured(|trial| trial.runners != Runners::OursAndBaseline)
    }

    /// The same of the table of growth; none without a step of growth.
    #[must_use]
    pub fn growth(&self) -> Vec<trial::Measure> {
        if self.measured(|trial| trial.runners == Runners::OursAndBaseline).is_empty() {
            return Vec::new();
        }
        let measures = self.measured(|_| true);
        GROWTH.iter().filter_map(|name| measures.iter().find(|m| m.name == *name).cloned()).collect()
    }

    /// Whether the steps of growth were run in one round only.
    #[must_use]
    pub fn grew_once(&self) -> bool {
        let steps = self.measured(|trial| trial.runners == Runners::OursAndBaseline);
        steps.iter().all(|m| self.values[m.name].values().all(|values| values.len() <= 1))
    }

    fn measured(&self, wanted: impl Fn(&trial::Trial) -> bool) -> Vec<trial::Measure> {
        let trials = trial::all(self.quick).into_iter().filter(wanted);
        trials.flat_map(|t| t.measures).filter(|m| self.values.contains_key(m.name)).collect()
    }

    /// Writes everything as JSON.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
    }

    /// Reads what [`Results::write`] wrote.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

#[cfg(test)]
pub(super) fn example() -> Results {
    let machine = Machine { cpu: "Fast (R) <CPU>".into(), cores: 2, memory_mib: 1024, kernel: "6.1".into() };
    let mut results = Results {
        machine,
        versions: vec![("ws".into(), "8".into())],
        repeats: 3,
        quick: false,
        values: BTreeMap::new(),
        failures: Vec::new(),
    };
    for (contestant, values) in [(Contestant::Baseline, [4.0, 4.4, 4.2]), (Contestant::Switchboard, [5.0, 6.0, 5.3])] {
        for value in values {
            results.add("relay_w1", contestant, value);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of(&[5.25, 5.0, 6.0]).unwrap().to_string(), "5.25 (5.00–6.00)");
        assert_eq!(Spread::of(&[5.0]).unwrap().to_string(), "5.00");
    }

    #[test]
    fn results_survive_their_file_and_know_their_rows_and_columns() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("results.json");
        example().write(&path).unwrap();
        let results = Results::read(&path).unwrap();
        assert_eq!(results.contestants(), [Contestant::Baseline, Contestant::Switchboard]);
        assert_eq!(results.measures().iter().map(|m| m.name).collect::<Vec<_>>(), ["relay_w1"]);
        assert_eq!(results.spread("relay_w1", Contestant::Switchboard), Spread::of(&[5.0, 5.3, 6.0]));
        assert_eq!(results.spread("relay_w1", Contestant::Matchbox), None);
    }
}
