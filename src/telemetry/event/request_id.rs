//! The id that ties a request, and the connection that may come of it, to its log lines.

use std::{fmt, num::NonZeroU64};

use uuid::Uuid;

/// Longest id that is accepted from a caller, in bytes: it stands in many log lines.
const MAX: usize = 128;

/// A request's id. One that was made here costs no allocation: every connection keeps its own.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestId(Origin);

#[derive(Clone, PartialEq, Eq)]
enum Origin {
    /// The halves of a UUID. Its version stands in the first, which is therefore never 0: so both kinds fit into its 16 bytes.
    Made(NonZeroU64, u64),
    Given(Box<Given>),
}

#[derive(Clone, PartialEq, Eq)]
struct Given(Box<str>);

/// Where the version of a UUID stands in its first half: that of one made of random bits.
const VERSION_4: NonZeroU64 = NonZeroU64::new(4 << 12).unwrap();

impl RequestId {
    /// The caller's id if it is sane (1 to 128 of `A-Z a-z 0-9 . _ -`), else a fresh one.
    #[must_use]
    pub fn accept(given: Option<&str>) -> Self {
        if let Some(id) = given.filter(|id| sane(id)) {
            Self(Origin::Given(Box::new(Given(id.into()))))
        } else {
            let (first, second) = Uuid::new_v4().as_u64_pair();
            Self(Origin::Made(VERSION_4 | first, second))
        }
    }

    /// Lends out what `to_string` would make.
    pub(in crate::telemetry) fn text<T>(&self, lend: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Origin::Made(first, second) => {
                let id = Uuid::from_u64_pair(first.get(), *second);
                lend(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
            Origin::Given(id) => lend(&id.0),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text(|id| f.write_str(id))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

fn sane(id: &str) -> bool {
    (1..=MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_in_a_log_is_believed() {
        assert_eq!(RequestId::accept(Some("7f1c-A.b_9")).to_string(), "7f1c-A.b_9");
        for bad in ["", "a b", "a\"b", "a\nb", "é", &"x".repeat(129)] {
            assert_ne!(RequestId::accept(Some(bad)).to_string(), bad);
        }
    }

    #[test]
    fn no_two_made_ids_are_equal() {
        assert_ne!(RequestId::accept(None), RequestId::accept(None));
    }
}
