//! How long a session goes on by itself: its deadline, the end of what it is granted, and the time that its connection may be in
//! no room.

use std::{sync::Arc, time::Instant};

use super::{
    grants::InForce,
    shared::SessionShared,
    waiting::{InNoRoom, Wait},
};
use crate::{auth::Grant, messages::Note, protocol::EndReason};

impl SessionShared {
    /// When the session ends by itself, if nothing changes. A drain's deadline is never moved, not even before the session
    /// has read of it: what is handled until then would take it away, and nobody would close the connection.
    pub(super) fn end_at(&self, deadline: Option<(Instant, EndReason)>) {
        if self.deadline.get().is_none_or(|(_, why)| why != EndReason::ServerDraining) {
            self.deadline.set(deadline);
            self.hurry();
        }
    }

    /// The drain that has set its deadline was withdrawn. A client that is away has its window anew, one in no room its time to
    /// join.
    pub(super) fn stays(&self, now: Instant) {
        if self.deadline.get().is_some_and(|(_, why)| why == EndReason::ServerDraining) {
            self.deadline.set(if !self.attached() {
                Some((now + self.setup.resume_window.get(), EndReason::ResumeExpired))
            } else if self.lifetime.borrow().in_no_room.is_some() {
                Some((now + self.setup.times.join, EndReason::JoinTimeout))
            } else {
                None
            });
            self.hurry();
        }
    }

    /// When the session ends by itself, and why: its deadline or the end of its grant, whichever comes first.
    pub(super) fn end(&self) -> Option<(Instant, EndReason)> {
        let granted = self.lifetime.borrow().grant.as_ref().map(|in_force| in_force.end());
        granted.into_iter().chain(self.deadline.get()).min_by_key(|(at, _)| *at)
    }

    /// What the session is granted from now on, or that nothing is any more.
    pub(super) fn granted(&self, grant: Option<Arc<Grant>>, now: Instant) {
        self.lifetime.borrow_mut().grant = grant.map(|grant| Box::new(InForce::new(grant, now)));
        self.hurry();
    }

    /// What is granted now.
    pub(super) fn current_grant(&self) -> Option<Arc<Grant>> {
        self.lifetime.borrow().grant.as_ref().map(|in_force| Arc::clone(in_force.grant()))
    }

    /// Whether what was granted has ended.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.lifetime.borrow().grant.as_ref().is_some_and(|in_force| in_force.end().0 <= now)
    }

    /// Whether a grant names the user that the session's own names, or none where that names none: the others know it as that.
    pub(super) fn is_of_same_user(&self, grant: &Grant) -> bool {
        let current = self.current_grant();
        current.as_ref().and_then(|current| current.user.as_ref()) == grant.user.as_ref()
    }

    /// The connection is in no room from now on, and has the time to join.
    pub(super) fn waits(&self, now: Instant) {
        self.waits_no_more();
        let (place, goes) = self.setup.waiting.enter(self.subnet.get(), self.kill_switch.clone());
        if let Some(longest) = goes {
            longest.leave_note(Note::TooManyWaiting);
        }
        let wait = Wait::since(now);
        self.end_at(Some((wait.begins(self.setup.times), EndReason::JoinTimeout)));
        self.lifetime.borrow_mut().in_no_room = Some(Box::new(InNoRoom { wait, _place: place }));
    }

    /// It is in a room, or gone.
    pub(super) fn waits_no_more(&self) {
        let waited = self.lifetime.borrow_mut().in_no_room.take();
        drop(waited);
    }

    /// Whether the connection is in no room for longer than it may in all.
    pub(super) fn has_waited(&self, now: Instant) -> bool {
        self.lifetime.borrow().in_no_room.as_ref().is_some_and(|one| one.wait.is_over(self.setup.times, now))
    }
}
