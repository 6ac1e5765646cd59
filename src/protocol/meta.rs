//! A peer's metadata: opaque JSON that its room shows to everybody in it.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::members::Members;

/// The raw text of a JSON object, checked for depth and for `limits.meta_bytes`, never built into a value.
///
/// Cloning shares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Meta(Arc<str>);

impl Meta {
    /// Keeps a text that the caller has checked (see [`super::client::parse`]).
    #[must_use]
    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// Reads a text that was a client's and was checked once: it is looked at only as far as it must be to stand in a frame.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_object = serde_json::from_str::<&RawValue>(text).is_ok_and(|raw| raw.get().starts_with('{'));
        is_object.then(|| Self::from_checked(text))
    }

    /// The same with the members of `top`, which take the place of those of the same name, however that is written.
    #[must_use]
    pub fn under(&self, top: &Self) -> Self {
        let (Some(below), Some(above)) = (Members::parse(&self.0), Members::parse(&top.0)) else { return top.clone() };
        let kept = below.iter().filter(|(name, _)| above.get(name).is_none());
        let members = kept.chain(above.iter()).map(|(name, raw)| format!("{}:{raw}", serde_json::Value::from(name)));
        Self(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Meta {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the content: users put names and tokens there.
        write!(f, "Meta({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_top_counts_however_the_name_below_is_written() {
        for (below, top, both) in [
            (r#"{"name":"Ada","role":"host"}"#, r#"{"role":"guest"}"#, r#"{"name":"Ada","role":"guest"}"#),
            (r#"{"r\u006fle":"host", "n" : 1.50}"#, r#"{"role":"guest"}"#, r#"{"n":1.50,"role":"guest"}"#),
            (r#"{"role":1,"role":2,"a\"b":[ 1 ]}"#, r#"{"role":null}"#, r#"{"a\"b":[ 1 ],"role":null}"#),
            ("{}", r#"{"role":{"a":1}}"#, r#"{"role":{"a":1}}"#),
            (r#"{"Role":1}"#, "{}", r#"{"Role":1}"#),
        ] {
            assert_eq!(Meta::from_checked(below).under(&Meta::from_checked(top)).as_str(), both, "{below}");
        }
    }
}
