//! What a signal is, as far as the server looks.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// What a `signal` carries. The server reads this word and never the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum SignalKind {
    /// A session description of type `offer`.
    Offer,
    /// A session description of type `answer` (or `pranswer`, or a rollback).
    Answer,
    /// An ICE candidate, or `null` for the end of candidates.
    Candidate,
    /// Whatever the application likes.
    App,
}

impl SignalKind {
    /// Every kind, for metrics and documents.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kind that `word` names on the wire.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}
