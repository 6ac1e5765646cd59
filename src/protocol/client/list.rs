//! A JSON list that may have so many items.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The texts of the items of a text that is a list; `None` where it has more than `limit`.
pub(super) fn items(raw: &str, limit: usize) -> Option<Vec<&RawValue>> {
    // The text is known to be a list, so that its length is all that can be wrong with it.
    serde_json::Deserializer::from_str(raw).deserialize_seq(UpTo(limit)).ok()
}

/// Stops at the limit, so that a frame full of short items costs no more than a frame full of anything else.
struct UpTo(usize);

impl<'de> Visitor<'de> for UpTo {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {} items", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == self.0 {
                return Err(A::Error::invalid_length(self.0 + 1, &self));
            }
            items.push(item);
        }
        Ok(items)
    }
}
