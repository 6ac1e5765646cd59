//! What there is to remember of a client, of what few clients have or do.

use crate::{limits::Bucket, messages::session::Credential};

/// Mostly nothing, and then there is none: in each session it is one pointer for all of it.
#[derive(Default)]
pub(super) struct ClientMemory {
    /// What its handshake brought along, if anything.
    pub(super) credential: Option<Box<Credential>>,
    /// The host that it used, where it is told of a STUN server there.
    pub(super) host: Option<Box<str>>,
    /// How often it has asked for ICE servers of late, once it has.
    pub(super) ice: Option<Bucket>,
    /// How often it has reported of late, once it has.
    pub(super) reports: Option<Bucket>,
}
