//! What a series is, and how it becomes a Prometheus metric family.

use std::{collections::HashMap, time::Duration};

use prometheus::{
    core::Desc,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use crate::metrics::state::MetricsState;
use crate::telemetry::{Buckets, Label, LabelSpec, LabelValues, Reading, SeriesKind, Tally, TallySeries};

/// One declared series.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// Its name.
    pub name: &'static str,
    /// One or two sentences.
    pub help: &'static str,
    /// Its type.
    pub kind: SeriesKind,
    /// Its labels.
    pub labels: &'static [LabelSpec],
    values: Source,
}

/// Where its values are.
#[derive(Debug, Clone, Copy)]
enum Source {
    State(Read),
    Tally(fn(&Tally) -> Reading),
}

/// A label with all values of `L`.
pub(super) const fn closed<L: Label>(name: &'static str) -> LabelSpec {
    LabelSpec { name, values: LabelValues::closed::<L>() }
}

/// A label whose values come as they occur.
pub(super) const fn open(name: &'static str, what: &'static str) -> LabelSpec {
    LabelSpec { name, values: LabelValues::AsTheyCome(what) }
}

type Read = fn(&MetricsState, &mut Samples);
type Labels = &'static [LabelSpec];

impl Series {
    pub(super) const fn counter(name: &'static str, help: &'static str, labels: Labels, read: Read) -> Self {
        Self { name, help, kind: SeriesKind::Counter, labels, values: Source::State(read) }
    }

    pub(super) const fn gauge(name: &'static str, help: &'static str, labels: Labels, read: Read) -> Self {
        Self { name, help, kind: SeriesKind::Gauge, labels, values: Source::State(read) }
    }

    pub(super) const fn histogram(name: &'static str, help: &'static str, labels: Labels, read: Read) -> Self {
        Self { name, help, kind: SeriesKind::Histogram, labels, values: Source::State(read) }
    }

    /// The unit, which by Prometheus' rules is the name's ending (before `_total`); empty for plain numbers.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes", "cores"].into_iter().find(|unit| name.ends_with(unit)).unwrap_or("")
    }

    /// What the registry wants to know.
    pub(in super::super) fn describe(self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(|label| label.name.to_owned()).collect();
        Desc::new(self.name.to_owned(), self.help.to_owned(), labels, HashMap::new())
    }

    /// The values as they are in `state`.
    pub(in super::super) fn collect(&self, state: &MetricsState) -> MetricFamily {
        let mut samples = Samples { labels: self.labels, kind: self.kind, metrics: Vec::new() };
        match self.values {
            Source::State(read) => read(state, &mut samples),
            Source::Tally(read) => samples.take(read(&state.totals)),
        }
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            SeriesKind::Counter => MetricType::COUNTER,
            SeriesKind::Gauge => MetricType::GAUGE,
            SeriesKind::Histogram => MetricType::HISTOGRAM,
        });
        family.set_metric(samples.metrics);
        family
    }
}

/// Takes a series' values.
#[derive(Debug)]
pub struct Samples {
    labels: Labels,
    kind: SeriesKind,
    metrics: Vec<Metric>,
}

impl Samples {
    /// One value under these label values, in the order in which the labels are declared.
    pub(super) fn value(&mut self, labels: &[&str], value: f64) {
        let mut metric = self.metric(labels);
        match self.kind {
            SeriesKind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
            SeriesKind::Gauge | SeriesKind::Histogram => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
        }
        self.metrics.push(metric);
    }

    /// One whole number.
    pub(super) fn count(&mut self, labels: &[&str], count: u64) {
        self.value(labels, float(count));
    }

    /// One number of things in memory.
    pub(super) fn size(&mut self, size: usize) {
        self.count(&[], size as u64);
    }

    /// One duration, in seconds.
    pub(super) fn seconds(&mut self, duration: Duration) {
        self.value(&[], duration.as_secs_f64());
    }

    /// What a tally says.
    fn take(&mut self, reading: Reading) {
        match reading {
            Reading::Count(count) => self.count(&[], count),
            Reading::Counts(counts) => counts.into_iter().for_each(|(value, count)| self.count(&[value], count)),
            Reading::Distribution(cumulative, count, sum) => {
                self.distribution(&[], cumulative.into_iter(), count, sum);
            }
        }
    }

    /// A histogram.
    pub(super) fn buckets<const N: usize>(&mut self, labels: &[&str], buckets: &Buckets<N>) {
        self.distribution(labels, buckets.cumulative(), buckets.count(), buckets.sum());
    }

    /// A histogram out of its parts: rising upper bounds with cumulative counts, the number of all, and their sum.
    pub(super) fn distribution(
        &mut self,
        labels: &[&str],
        cumulative: impl Iterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        let mut histogram = Histogram::default();
        histogram.set_bucket(cumulative.map(bucket).collect());
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum);
        let mut metric = self.metric(labels);
        metric.set_histogram(histogram);
        self.metrics.push(metric);
    }

    fn metric(&self, values: &[&str]) -> Metric {
        debug_assert_eq!(values.len(), self.labels.len(), "a value for every label");
        let mut pairs: Vec<LabelPair> =
            self.labels.iter().zip(values).map(|(label, value)| pair(label.name, value)).collect();
        pairs.sort_by(|a, b| a.name().cmp(b.name()));
        Metric::from_label(pairs)
    }
}

impl From<&TallySeries> for Series {
    fn from(field: &TallySeries) -> Self {
        let TallySeries { name, help, kind, labels, read, .. } = *field;
        Self { name, help, kind, labels, values: Source::Tally(read) }
    }
}

fn pair(name: &str, value: &str) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.to_owned());
    pair
}

fn bucket((bound, count): (f64, u64)) -> Bucket {
    let mut bucket = Bucket::default();
    bucket.set_upper_bound(bound);
    bucket.set_cumulative_count(count);
    bucket
}

/// Prometheus' only number type. Whole up to 2^53: at a million messages a second for 285 years.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}
