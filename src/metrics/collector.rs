//! The catalogue as one Prometheus collector.

use prometheus::{
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    catalog::{self, Series},
    state::Shared,
};

/// Shows the state through the catalogue.
pub(super) struct CatalogCollector {
    descriptions: Vec<Desc>,
    state: Shared,
}

impl CatalogCollector {
    /// A collector of every series.
    ///
    /// # Errors
    /// A series whose declaration Prometheus does not accept.
    pub(super) fn new(state: Shared) -> prometheus::Result<Self> {
        let descriptions = catalog::all().map(Series::describe).collect::<prometheus::Result<_>>()?;
        Ok(Self { descriptions, state })
    }
}

impl Collector for CatalogCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let state = self.state.lock();
        catalog::all().map(|series| series.collect(&state)).collect()
    }
}
