//! Who sits on a seat, as the shipped rules keep it.

use std::sync::Arc;

use crate::messages::session::Member;

/// Who sits on a seat.
pub(super) struct Seated {
    pub(super) member: Arc<Member>,
    /// The session's own number of the join that brought it there.
    pub(super) join_seq: u32,
}
