//! A panic is one line at critical level, and counted.

use std::{backtrace::Backtrace, panic::PanicHookInfo, thread};

use super::{
    counts::local::PANICS,
    event::{Event, emit},
    log,
};

/// Bytes of a backtrace that are kept: some 100 frames.
const MAX_BACKTRACE: usize = 16 * 1024;

/// Makes every later panic, on any thread, an event with location and backtrace. Without a log the former hook does
/// what it did (by default: writes to standard error).
pub fn install_panic_hook() {
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.add(1);
        report(info);
        if !log::is_started() {
            former(info);
        }
    }));
}

fn report(info: &PanicHookInfo<'_>) {
    let mut backtrace = Backtrace::force_capture().to_string();
    if backtrace.len() > MAX_BACKTRACE {
        let end = (0..=MAX_BACKTRACE).rev().find(|at| backtrace.is_char_boundary(*at));
        backtrace.truncate(end.unwrap_or(0));
    }
    emit(&Event::Panicked {
        thread: thread::current().name().unwrap_or("unnamed"),
        message: words(info),
        location: &info.location().map(ToString::to_string).unwrap_or_default(),
        backtrace: &backtrace,
    });
}

fn words<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = info.payload();
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}

#[cfg(test)]
mod tests {
    use crate::{
        protocol::{ErrorCode, Severity},
        telemetry::take,
    };

    #[test]
    fn a_panic_is_an_error_of_its_own_kind_told_by_its_place() {
        super::install_panic_hook();
        let thread = std::thread::Builder::new().name("doomed".into()).spawn(|| {
            let panicked = std::panic::catch_unwind(|| panic!("v=0\r\ns=- is in these words"));
            assert!(panicked.is_err());
            take().expect("counts")
        });
        let mut counts = thread.expect("a thread").join().expect("counts");
        assert_eq!(counts.errors[Severity::Critical as usize].get(ErrorCode::Internal), 1);
        let error_samples = counts.error_samples.take();
        assert_eq!((error_samples.len(), error_samples[0].doing), (1, "panic"));
        assert_eq!(error_samples[0].cause.as_deref(), Some("(withheld: contains SDP)"));
    }
}
