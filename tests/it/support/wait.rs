//! Waiting for a condition with a deadline, and saying what was missing when it passes.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything that should happen "now" may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Asks `probe` again and again until it answers `Ok`, for at most [`PATIENCE`]. An `Err` is the state as it is now:
/// the last one is in the panic's message.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, probe: impl FnMut() -> Result<T, String>) -> T {
    eventually_within(PATIENCE, what, probe)
}

/// [`eventually`] with another deadline.
#[track_caller]
pub(crate) fn eventually_within<T>(patience: Duration, what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        let last = match probe() {
            Ok(found) => return found,
            Err(state) => state,
        };
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}; last state: {last}");
        thread::sleep(Duration::from_millis(15));
    }
}

/// Turns a comparison into a probe's answer.
pub(crate) fn expect_eq<T: PartialEq + std::fmt::Debug>(found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) }
}

#[test]
fn what_never_comes_is_named_with_the_last_state() {
    let mut asked = 0;
    let waiting = std::panic::AssertUnwindSafe(|| {
        eventually_within(Duration::from_millis(40), "the moon is blue", || {
            asked += 1;
            Err::<(), _>(format!("white, asked {asked} times"))
        });
    });
    let panic = std::panic::catch_unwind(waiting).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("the moon is blue") && text.contains("last state: white"), "{text}");
}

#[test]
fn what_comes_is_returned() {
    let mut asked = 0;
    let found = eventually("the third answer", || {
        asked += 1;
        if asked == 3 { Ok(asked) } else { Err(String::new()) }
    });
    assert_eq!(found, 3);
}
