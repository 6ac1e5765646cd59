//! By what name each route is counted and logged: told by whoever registers it.

use actix_web::web;

/// What no route is for.
const UNMATCHED: &str = "unmatched";

/// A listener's labels by the patterns of its routes: a closed set, so that a scanner makes no series by guessing.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<(&'static str, &'static str)>);

impl Labels {
    /// The label of a request that this pattern matched.
    pub(super) fn of(&self, pattern: Option<&str>) -> &'static str {
        let known = self.0.iter().find(|(route, _)| Some(*route) == pattern);
        known.map_or(UNMATCHED, |(_, label)| label)
    }
}

/// Where a listener's routes are registered, each with its label.
pub(super) struct Routes<'a> {
    pub(super) config: &'a mut web::ServiceConfig,
    pub(super) labels: &'a mut Labels,
}

impl Routes<'_> {
    /// A pattern that is its own label; a route for it has to follow.
    pub(super) fn named(&mut self, pattern: &'static str) -> &'static str {
        self.under(pattern, pattern)
    }

    /// A pattern that shares its label with others.
    pub(super) fn under(&mut self, label: &'static str, pattern: &'static str) -> &'static str {
        self.labels.0.push((pattern, label));
        pattern
    }
}
