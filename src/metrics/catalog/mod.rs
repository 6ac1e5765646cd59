//! Every series that the server exposes: name, help, type, labels with their values, and where the value comes from. A field of
//! the tally that is a series as it stands is declared there and nowhere else; the others are declared here. The registry, the
//! reference and the tests all read this.
mod clients;
mod cluster;
mod connections;
mod errors;
mod ice;
mod memory;
mod messages;
mod rooms;
mod series;
mod server;
mod webhooks;

use strum::VariantArray;

pub use series::{Samples, Series};

use crate::telemetry::{Tally, Topic};

/// All series, by topic.
pub fn all() -> impl Iterator<Item = Series> {
    topics().flat_map(|(_, series)| series)
}

/// The topics of the reference, with their series.
pub fn topics() -> impl Iterator<Item = (Topic, Vec<Series>)> {
    Topic::VARIANTS.iter().map(|&topic| {
        let counted = Tally::series().filter(|series| series.topic == topic).map(Series::from);
        (topic, made_of_several(topic).iter().copied().chain(counted).collect())
    })
}

/// Those that are not one field of a tally as it stands.
fn made_of_several(topic: Topic) -> &'static [Series] {
    match topic {
        Topic::Connections => connections::SERIES,
        Topic::Rooms => rooms::SERIES,
        Topic::Messages => messages::SERIES,
        Topic::Clients => clients::SERIES,
        Topic::Ice => ice::SERIES,
        Topic::Errors => errors::SERIES,
        Topic::Memory => memory::SERIES,
        Topic::Webhooks => webhooks::SERIES,
        Topic::Cluster => cluster::SERIES,
        Topic::Server => server::SERIES,
    }
}

#[cfg(test)]
mod tests;
