//! Bytes that this thread's connections have read and written: one addition for a read or a write, whatever number of frames is in it.

use std::cell::Cell;

/// Bytes read, and bytes written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// From clients: frames with their heads, and what comes after the end.
    pub(crate) received: u64,
    /// To them, as far as the kernel has taken it.
    pub(crate) sent: u64,
}

thread_local! {
    static TRAFFIC: Cell<Traffic> = const { Cell::new(Traffic { received: 0, sent: 0 }) };
}

pub(super) fn received(bytes: usize) {
    let traffic = TRAFFIC.get();
    TRAFFIC.set(Traffic { received: traffic.received + bytes as u64, ..traffic });
}

pub(super) fn sent(bytes: usize) {
    let traffic = TRAFFIC.get();
    TRAFFIC.set(Traffic { sent: traffic.sent + bytes as u64, ..traffic });
}

/// What this thread has read and written since it was last asked.
pub(crate) fn take() -> Traffic {
    TRAFFIC.take()
}
