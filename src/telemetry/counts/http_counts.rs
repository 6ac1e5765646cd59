//! HTTP requests by method, route and status.

use std::time::Duration;

use super::buckets::{self, RequestBuckets};

/// Combinations of method, route and status that are kept apart; later ones are counted as route `other`.
pub(in crate::telemetry) const MAX_ROUTES: usize = 256;

/// The requests of one method, route and status.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HttpCount {
    /// The method, as [`super::kinds::method_label`] names it.
    pub method: &'static str,
    /// The route's pattern, never the path that the client sent.
    pub route: &'static str,
    /// The response's status.
    pub status: u16,
    /// How long they took; the number of requests is its count.
    pub took: RequestBuckets,
}

/// All HTTP requests. A short list and not a map: there are some ten routes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HttpCounts(Vec<HttpCount>);

impl HttpCounts {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Counts one request.
    pub fn add(&mut self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        self.entry(method, route, status).took.observe(took);
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        for more in other.0 {
            self.entry(more.method, more.route, more.status).took.merge(&more.took);
        }
    }

    /// Every combination that occurred.
    pub fn iter(&self) -> impl Iterator<Item = &HttpCount> {
        self.0.iter()
    }

    fn entry(&mut self, method: &'static str, route: &'static str, status: u16) -> &mut HttpCount {
        let known = self.0.iter().position(|c| (c.method, c.route, c.status) == (method, route, status));
        let place = match known {
            Some(place) => place,
            None if self.0.len() < MAX_ROUTES || (method, route, status) == OVERFLOW => {
                self.0.push(HttpCount { method, route, status, took: RequestBuckets::new(buckets::REQUEST) });
                self.0.len() - 1
            }
            None => return self.entry(OVERFLOW.0, OVERFLOW.1, OVERFLOW.2),
        };
        &mut self.0[place]
    }
}

/// Where the combinations beyond [`MAX_ROUTES`] are counted.
const OVERFLOW: (&str, &str, u16) = ("other", "other", 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_requests_are_one_entry_and_others_are_not() {
        let mut counts = HttpCounts::new();
        counts.add("GET", "/", 200, Duration::from_millis(1));
        counts.add("GET", "/", 200, Duration::from_millis(3));
        counts.add("GET", "/", 404, Duration::from_millis(1));
        let all: Vec<_> = counts.iter().map(|c| (c.status, c.took.count())).collect();
        assert_eq!(all, [(200, 2), (404, 1)]);
    }

    #[test]
    fn statuses_without_end_do_not_grow_it_without_end() {
        let mut counts = HttpCounts::new();
        for status in 0..2000 {
            counts.add("GET", "/", status, Duration::ZERO);
        }
        assert_eq!(counts.iter().count(), MAX_ROUTES + 1);
        assert_eq!(counts.iter().map(|c| c.took.count()).sum::<u64>(), 2000);
    }
}
