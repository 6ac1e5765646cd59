//! Every series that the server exposes, declared once: name, help, type, labels with their values, and where the value
//! comes from. The registry, the reference and the tests all read this.
mod connections;
mod errors;
mod memory;
mod messages;
mod rooms;
mod series;
mod server;

pub use series::{Kind, LabelSpec, Samples, Series, Values};

/// All series, by topic.
pub fn all() -> impl Iterator<Item = &'static Series> {
    topics().into_iter().flat_map(|(_, series)| series.iter())
}

/// The topics of the reference, with their series.
#[must_use]
pub fn topics() -> [(&'static str, &'static [Series]); 6] {
    [
        ("Connections", connections::SERIES),
        ("Rooms", rooms::SERIES),
        ("Messages", messages::SERIES),
        ("Errors", errors::SERIES),
        ("Memory", memory::SERIES),
        ("Server", server::SERIES),
    ]
}

#[cfg(test)]
mod tests;
