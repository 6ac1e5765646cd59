//! What takes events.

use super::{fault::Fault, table::Event};

/// One reader of all events: the log, the counts, and whatever else is to hear of them. It is called on the thread on
/// which an event happens, and must not wait for anything.
pub trait Sink: Send + Sync {
    /// Takes one event, with the error in it, if it tells of one.
    fn take(&self, event: &Event<'_>, fault: Option<&Fault<'_>>);

    /// Hands on what it gathered on this thread or in all. Called by every arbiter's tick, some times a second.
    fn flush(&self) {}
}
