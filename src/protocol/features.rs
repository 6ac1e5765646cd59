//! The optional parts of the protocol that this server speaks.

use strum::{IntoStaticStr, VariantArray};

/// An optional part of the protocol, by its name in `welcome.features`. A client asks for it only where it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Feature {
    /// Sessions can be resumed.
    Resume,
    /// Tokens are taken.
    Tokens,
    /// A connection may wait for a seat.
    Wait,
    /// The server knows who somebody is.
    Identity,
    /// Who fills a peer's queue is told so.
    Busy,
    /// Clients may ask for ICE servers anew.
    Ice,
    /// Rooms can be moderated.
    Moderation,
    /// Sessions that can be resumed go through a restart.
    Restart,
    /// Clients may say how they are doing.
    Report,
}

impl Feature {
    /// Every feature, in the order in which `welcome` names them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
