//! The Prometheus text format, read into a map.

use std::collections::BTreeMap;

/// What one scrape said: `name{label="value",…}` with its value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Reads text format 0.0.4.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
        Self(samples.map(|line| sample(line).unwrap_or_else(|| panic!("no sample: {line:?}"))).collect())
    }

    /// The one series, as it is written; 0 if it is not there, as a counter is before its first event.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    /// The one series, if it is there.
    pub(crate) fn find(&self, series: &str) -> Option<f64> {
        self.0.get(series).copied()
    }

    /// The sum over all series of that name whose labels contain `label` (as in `reason="left"`; empty: all).
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        self.series(name).filter(|(labels, _)| labels.contains(label)).fold(0.0, |sum, (_, value)| sum + value)
    }

    /// The labels and values of all series of that name.
    pub(crate) fn series(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().filter_map(move |(series, value)| {
            let labels = series.strip_prefix(name)?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, *value))
        })
    }

    /// All of them, one a line, for a failing test's message.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<_> = self.0.iter().map(|(series, value)| format!("{series} {value}")).collect();
        lines.join("\n")
    }
}

fn sample(line: &str) -> Option<(String, f64)> {
    let (series, value) = line.trim_end().rsplit_once(' ')?;
    Some((series.to_owned(), value.parse().ok()?))
}

#[test]
fn a_scrape_is_read_and_summed() {
    let text =
        "# HELP a_total x\n# TYPE a_total counter\na_total{reason=\"left\"} 2\na_total{reason=\"error\"} 3\nb 1.5\n";
    let scrape = Scrape::read(text);
    assert_eq!(scrape.sum("a_total", ""), 5.0);
    assert_eq!(scrape.sum("a_total", "reason=\"left\""), 2.0);
    assert_eq!((scrape.value("b"), scrape.find("a")), (1.5, None));
}
