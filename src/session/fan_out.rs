//! What one frame causes: a broadcast is a delivery to each of its room, and each is a message, a frame in a queue and a write to a
//! socket. So it is more of a turn than a frame that goes to one.

use std::cell::Cell;

thread_local! {
    /// Deliveries that this thread's sessions have caused since somebody asked, beside each frame's first.
    static CAUSED: Cell<u32> = const { Cell::new(0) };
}

/// A frame goes to so many.
#[inline]
pub(super) fn to(receivers: usize) {
    let more = u32::try_from(receivers.saturating_sub(1)).unwrap_or(u32::MAX);
    CAUSED.set(CAUSED.get().saturating_add(more));
}

/// What was caused since this was last asked.
pub(super) fn take() -> u32 {
    CAUSED.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_to_one_causes_nothing_more() {
        let _ = take();
        [0, 1].into_iter().for_each(to);
        assert_eq!(take(), 0);
        [9, 3].into_iter().for_each(to);
        assert_eq!([take(), take()], [10, 0]);
        [usize::MAX, usize::MAX].into_iter().for_each(to);
        assert_eq!(take(), u32::MAX);
    }
}
