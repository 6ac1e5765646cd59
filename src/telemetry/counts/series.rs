//! What the catalogue of metrics says of a series, as plain data; and what a field of a tally is as a series.

use strum::{IntoStaticStr, VariantArray};

use super::{
    buckets::Buckets,
    labels::{Counts, Label},
};

/// A part of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
pub enum Topic {
    /// WebSocket connections, and the HTTP requests beside them.
    Connections,
    /// Rooms, and who comes and goes.
    Rooms,
    /// Messages and what becomes of them.
    Messages,
    /// What clients report of themselves, and of their connections to each other.
    Clients,
    /// What helps peers to find a way to each other: STUN and TURN.
    Ice,
    /// Errors and panics.
    Errors,
    /// What is held on behalf of clients.
    Memory,
    /// What a receiver of webhooks is told.
    Webhooks,
    /// The cluster that this server is a node of, and its Redis.
    Cluster,
    /// The server itself.
    Server,
}

/// The type of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesKind {
    /// Only grows, until a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets.
    Histogram,
}

/// A label of a series.
#[derive(Debug, Clone, Copy)]
pub struct LabelSpec {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub values: LabelValues,
}

/// The values of a label.
#[derive(Debug, Clone, Copy)]
pub enum LabelValues {
    /// These, and all of them from the start.
    Closed(fn() -> Vec<&'static str>),
    /// Few, and known only when they occur; this is what they are.
    AsTheyCome(&'static str),
}

impl LabelValues {
    /// All values of `L`.
    #[must_use]
    pub const fn closed<L: Label>() -> Self {
        Self::Closed(|| L::ALL.iter().map(|value| value.label()).collect())
    }
}

/// The values of a series.
#[derive(Debug)]
pub enum Reading {
    /// One number.
    Count(u64),
    /// A number for every value of its label.
    Counts(Vec<(&'static str, u64)>),
    /// A histogram: rising upper bounds with cumulative counts, the number of all, and their sum.
    Distribution(Vec<(f64, u64)>, u64, f64),
}

/// What a field is as a series.
pub(super) trait AsSeries {
    const KIND: SeriesKind;
    /// Of its label.
    const VALUES: LabelValues;

    fn read(&self) -> Reading;
}

impl AsSeries for u64 {
    const KIND: SeriesKind = SeriesKind::Counter;
    const VALUES: LabelValues = LabelValues::Closed(Vec::new);

    fn read(&self) -> Reading {
        Reading::Count(*self)
    }
}

impl<L: Label> AsSeries for Counts<L> {
    const KIND: SeriesKind = SeriesKind::Counter;
    const VALUES: LabelValues = LabelValues::closed::<L>();

    fn read(&self) -> Reading {
        Reading::Counts(self.iter().map(|(value, count)| (value.label(), count)).collect())
    }
}

impl<const N: usize> AsSeries for Buckets<N> {
    const KIND: SeriesKind = SeriesKind::Histogram;
    const VALUES: LabelValues = LabelValues::Closed(Vec::new);

    fn read(&self) -> Reading {
        Reading::Distribution(self.cumulative().collect(), self.count(), self.sum())
    }
}
