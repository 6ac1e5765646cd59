//! Times and days in UTC, as text; and moments of this process's clock as others know them.

use std::{
    fmt,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use time::{
    Date, OffsetDateTime, error::Parse, format_description::StaticFormatDescription, macros::format_description,
};

const MOMENT: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");
/// Room for either, with a year of five digits and its sign.
const MAX_BYTES: usize = 27;

/// A moment as RFC 3339 has it, to the millisecond: `2026-01-31T12:00:10.123Z`.
#[derive(Debug, Clone, Copy)]
pub struct Rfc3339(pub SystemTime);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every line of the log has one: no allocation.
        let mut text = [0; MAX_BYTES];
        let written = OffsetDateTime::from(self.0).format_into(&mut text.as_mut_slice(), MOMENT);
        let text = &text[..written.map_err(|_| fmt::Error)?];
        f.write_str(str::from_utf8(text).map_err(|_| fmt::Error)?)
    }
}

/// The day of a moment.
pub fn day_of(moment: SystemTime) -> Date {
    OffsetDateTime::from(moment).date()
}

/// `2026-01-31`.
///
/// # Panics
/// Never: a day has all that the text names.
pub fn day(day: Date) -> String {
    day.format(DAY).expect("a day has a year, a month and a day")
}

/// What [`day`] writes.
pub fn parse_day(text: &str) -> Result<Date, Parse> {
    Date::parse(text, DAY)
}

/// One moment by both clocks: the one that nobody sets, which means nothing to another process, and the one of the world.
#[derive(Debug, Clone, Copy)]
pub struct Clocks {
    /// By the former.
    pub now: Instant,
    /// By the latter, in milliseconds since the Unix epoch.
    pub now_ms: u64,
}

impl Clocks {
    /// This moment.
    #[must_use]
    pub fn read() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { now: Instant::now(), now_ms: millis(since) }
    }

    /// A moment of this process, for another one.
    #[must_use]
    pub fn to_ms(self, moment: Instant) -> u64 {
        let (after, before) = (moment.saturating_duration_since(self.now), self.now.saturating_duration_since(moment));
        (self.now_ms.saturating_add(millis(after))).saturating_sub(millis(before))
    }

    /// A moment that another process has written. What this clock cannot name is now.
    #[must_use]
    pub fn to_instant(self, ms: u64) -> Instant {
        let (after, before) = (ms.saturating_sub(self.now_ms), self.now_ms.saturating_sub(ms));
        let later = self.now.checked_add(Duration::from_millis(after)).unwrap_or(self.now);
        later.checked_sub(Duration::from_millis(before)).unwrap_or(self.now)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_to_the_millisecond_and_never_rounded_up() {
        let at = |millis: u64, nanos: u64| {
            Rfc3339(UNIX_EPOCH + Duration::from_millis(millis) + Duration::from_nanos(nanos)).to_string()
        };
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(1_772_280_000_007, 999_999), "2026-02-28T12:00:00.007Z");
        assert_eq!(at(951_782_399_999, 999_999), "2000-02-28T23:59:59.999Z");
        assert_eq!(at(4_107_542_400_120, 0), "2100-03-01T00:00:00.120Z", "no leap year");
        assert_eq!(Rfc3339(UNIX_EPOCH - Duration::from_secs(1)).to_string(), "1969-12-31T23:59:59.000Z");
    }

    #[test]
    fn a_day_reads_back_and_what_is_none_does_not() {
        let leap = day_of(UNIX_EPOCH + Duration::from_secs(951_782_400));
        assert_eq!((day(leap).as_str(), parse_day("2000-02-29")), ("2000-02-29", Ok(leap)));
        for none in ["", "2000-02-30", "1900-02-29", "2000-2-29", "2000-02-29x", "2000-02-29-1", "00-02-29"] {
            assert!(parse_day(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_moment_goes_to_the_world_and_back_to_the_millisecond() {
        let clocks = Clocks::read();
        for (after, before) in [(0, 0), (5_000, 0), (0, 50), (86_400_000, 0)] {
            let later = clocks.now + Duration::from_millis(after);
            let moment = later.checked_sub(Duration::from_millis(before)).expect("it is not that old");
            assert_eq!(clocks.to_ms(moment), clocks.now_ms + after - before);
            assert_eq!(clocks.to_instant(clocks.to_ms(moment)), moment);
        }
        assert!(clocks.to_instant(0) <= clocks.now);
        assert!(clocks.to_instant(u64::MAX) >= clocks.now);
    }
}
