//! The id that ties a request to its log lines.

use actix_http::header::HeaderMap;
use uuid::Uuid;

/// The header, both ways.
pub(super) const HEADER: &str = "x-request-id";
/// Longer ids are not believed: they stand in every log line.
const MAX: usize = 128;

/// The id that the middleware gave the request, for its handler.
#[derive(Clone)]
pub(super) struct RequestId(pub(super) String);

/// The caller's id if it is sane (1 to 128 of `A-Z a-z 0-9 . _ -`), else a fresh one.
pub(super) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| sane(id));
    given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn sane(id: &str) -> bool {
    (1..=MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::sane;

    #[test]
    fn only_what_is_harmless_in_a_log_is_believed() {
        assert!(sane("7f1c-A.b_9"));
        for bad in ["", "a b", "a\"b", "a\nb", "é", &"x".repeat(129)] {
            assert!(!sane(bad), "{bad:?}");
        }
    }
}
