//! Bytes that are held outside of any session, so that somebody can say how many: each counted by its holder, for as long
//! as it is held.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

static HEADS: AtomicU64 = AtomicU64::new(0);
static TRANSFERS: AtomicU64 = AtomicU64::new(0);

/// What they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Request heads that have not ended.
    Heads,
    /// What was read of a socket, or waits to be written to it, while it is on its way to the session that it resumes.
    Transfers,
}

/// Some of them; dropping it says that they are held no longer.
#[derive(Debug)]
pub struct HeldBytes {
    what: Outside,
    bytes: Cell<u64>,
}

impl HeldBytes {
    /// So many more.
    #[must_use]
    pub fn new(what: Outside, bytes: u64) -> Self {
        what.sum().fetch_add(bytes, Ordering::Relaxed);
        Self { what, bytes: Cell::new(bytes) }
    }

    /// So many now.
    pub fn set(&self, bytes: u64) {
        // What is taken away was added before: it wraps around, and back.
        self.what.sum().fetch_add(bytes.wrapping_sub(self.bytes.replace(bytes)), Ordering::Relaxed);
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Outside {
    fn sum(self) -> &'static AtomicU64 {
        match self {
            Self::Heads => &HEADS,
            Self::Transfers => &TRANSFERS,
        }
    }

    /// How many are held, by all threads.
    #[must_use]
    pub fn bytes(self) -> u64 {
        self.sum().load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests of this process hold heads, and no transfers of that size.
    #[test]
    fn what_is_held_is_counted_for_as_long_as_it_is() {
        const MUCH: u64 = 1 << 40;
        let one = HeldBytes::new(Outside::Transfers, MUCH);
        let other = HeldBytes::new(Outside::Transfers, MUCH);
        assert_eq!(Outside::Transfers.bytes() / MUCH, 2);
        one.set(3 * MUCH);
        assert_eq!(Outside::Transfers.bytes() / MUCH, 4);
        one.set(MUCH / 2);
        drop(other);
        assert_eq!(Outside::Transfers.bytes() / MUCH, 0);
    }
}
