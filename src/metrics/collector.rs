//! The catalogue as one Prometheus collector.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    catalog::{self, Series},
    state::MetricsState,
};

/// Shows the state through the catalogue. The lock is there because the registry wants `Send + Sync`; only the metrics
/// actor, which owns the registry and the state, ever takes it.
pub(super) struct CatalogCollector {
    descriptions: Vec<Desc>,
    state: Arc<Mutex<MetricsState>>,
}

impl CatalogCollector {
    /// A collector of every series.
    ///
    /// # Errors
    /// A series whose declaration Prometheus does not accept.
    pub(super) fn new(state: Arc<Mutex<MetricsState>>) -> prometheus::Result<Self> {
        let descriptions = catalog::all().map(Series::describe).collect::<prometheus::Result<_>>()?;
        Ok(Self { descriptions, state })
    }
}

impl Collector for CatalogCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        catalog::all().map(|series| series.collect(&state)).collect()
    }
}
