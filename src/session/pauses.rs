//! Why a session's reader waits, for others' sake than its own.

use std::cell::Cell;

/// A resume is under way.
const RESUMES: u8 = 1;
/// The server hands its sessions over.
const STOPPED: u8 = 2;

/// Both reasons in one byte, so that the reader asks for them at once.
#[derive(Default)]
pub(super) struct Pauses(Cell<u8>);

impl Pauses {
    /// Whether the reader waits.
    #[inline]
    pub(super) fn get(&self) -> bool {
        self.0.get() != 0
    }

    /// Nothing may come between a `join` that resumes and its `joined`.
    pub(super) fn set(&self, resumes: bool) {
        self.change(RESUMES, resumes);
    }

    /// What is read from now on would be handled by nobody.
    pub(super) fn stop(&self, stops: bool) {
        self.change(STOPPED, stops);
    }

    fn change(&self, reason: u8, is_there: bool) {
        let others = self.0.get() & !reason;
        self.0.set(if is_there { others | reason } else { others });
    }
}
