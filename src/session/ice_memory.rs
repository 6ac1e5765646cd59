//! What there is to remember of a client for its ICE servers.

use crate::limits::Bucket;

/// Mostly nothing, and then there is none.
#[derive(Default)]
pub(super) struct IceMemory {
    /// How often it has asked for them of late, once it has.
    pub(super) requests: Option<Bucket>,
    /// The host that it used, where it is told of a STUN server there.
    pub(super) host: Option<Box<str>>,
}
