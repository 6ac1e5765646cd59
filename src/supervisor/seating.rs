//! A join, taken apart: who asks for a seat, and what follows once it has one.

use std::sync::Arc;

use super::{news, outcomes::Known, seated::Seated, state::Applicant};
use crate::{
    auth::Grant,
    messages::{
        session::{JoinError, JoinFailed, Member},
        supervisor::Join,
    },
    protocol::{Meta, RoomName},
};

/// What of a join is needed once it is granted.
pub(super) struct Seating {
    pub(super) member: Arc<Member>,
    pub(super) room: RoomName,
    pub(super) meta: Option<Meta>,
    pub(super) attempt: u32,
    pub(super) join_seq: u32,
    pub(super) resumable: bool,
    pub(super) grant: Option<Arc<Grant>>,
    pub(super) known: Known,
}

impl Seating {
    /// Takes a join apart: who asks, and what follows.
    pub(super) fn of(join: Join) -> (Applicant<Seated>, Self) {
        let Join { member, room, meta, attempt, join_seq, resumable, subnet, identified, grant } = join;
        let cap = grant.as_ref().and_then(|grant| grant.cap);
        let seated = Seated { member: Arc::clone(&member), join_seq };
        let user = grant.as_ref().and_then(|grant| grant.user.clone());
        let known = Known { who: identified.map(|identified| identified.who), user: user.clone() };
        let applicant = Applicant { session: member.session, member: seated, subnet, cap, identified, user };
        (applicant, Self { member, room, meta, attempt, join_seq, resumable, grant, known })
    }

    /// It is not granted.
    pub(super) fn refuse(&self, refused: JoinError) -> JoinFailed {
        news::refused(&self.member, &self.room, refused, self.attempt);
        JoinFailed { join_seq: self.join_seq, refused }
    }
}
