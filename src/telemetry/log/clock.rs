//! Which day it is, and how far that is to be believed: a clock may be wrong at the start, be set, or jump by years and
//! back. Held against the time that runs by itself.

use std::time::{Duration, Instant, SystemTime};

use time::Date;

use crate::{late::LateGuard, utc};

/// The two may differ by this much within [`COMPARED`]: corrections by NTP are less, and slower.
const SLACK: Duration = Duration::from_secs(10);
/// They are compared over no longer than this.
const COMPARED: Duration = Duration::from_secs(3600);
/// Looks are seconds apart. After a longer pause (the process was stopped, or both clocks jumped) nothing is known.
const LATE: Duration = Duration::from_secs(600);
/// After a jump the new time is taken for the time when the clock has run evenly for this long.
const SETTLED: Duration = Duration::from_secs(60);
/// Nothing is removed before the clock has run evenly for this long since the start.
const EVEN: Duration = Duration::from_secs(10);
/// Nor for this long since a jump, or where nothing else speaks for the day.
const SURE: Duration = Duration::from_secs(3600);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(in crate::telemetry) struct Look {
    /// Runs by itself.
    pub(in crate::telemetry) at: Instant,
    /// Says what time it is.
    pub(in crate::telemetry) wall: SystemTime,
}

/// The machine's.
pub(in crate::telemetry) fn now() -> Look {
    Look { at: Instant::now(), wall: SystemTime::now() }
}

/// The clock, as far as it was watched.
pub(in crate::telemetry) struct Clock {
    look: Box<dyn Fn() -> Look + Send>,
    /// Since then both have run alike.
    since: Instant,
    /// What they are compared with.
    before: Look,
    pauses: LateGuard,
    jumped: bool,
}

/// What the clock says at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::telemetry) struct Moment {
    /// The day, in UTC.
    pub(in crate::telemetry) day: Date,
    /// For how long it has run evenly.
    even: Duration,
    /// Whether it ever jumped.
    jumped: bool,
}

impl Clock {
    pub(in crate::telemetry) fn new(look: impl Fn() -> Look + Send + 'static) -> Self {
        let first = look();
        let pauses = LateGuard::new(first.at, LATE);
        Self { look: Box::new(look), since: first.at, before: first, pauses, jumped: false }
    }

    pub(in crate::telemetry) fn look(&mut self) -> Moment {
        let now = (self.look)();
        let ran = now.at.saturating_duration_since(self.before.at);
        let is_late = self.pauses.look(now.at, Duration::ZERO).is_late;
        if is_late || differ(self.before.wall + ran, now.wall) > SLACK {
            (self.since, self.before, self.jumped) = (now.at, now, true);
        } else if ran > COMPARED {
            self.before = now;
        }
        let even = now.at.saturating_duration_since(self.since);
        Moment { day: utc::day_of(now.wall), even, jumped: self.jumped }
    }
}

impl Moment {
    /// Whether lines may go into the file of this day.
    pub(in crate::telemetry) fn is_settled(self) -> bool {
        !self.jumped || self.even >= SETTLED
    }

    /// Whether what has been kept long enough by this day may be removed. `continues`: whether the files of the last days
    /// are there, so that the day follows from them, too.
    pub(in crate::telemetry) fn is_sure(self, continues: bool) -> bool {
        self.even >= SURE || (continues && !self.jumped && self.even >= EVEN)
    }

    /// When that may change.
    pub(in crate::telemetry) fn look_again(self) -> Duration {
        if self.even < EVEN { EVEN } else { LATE }
    }

    #[cfg(test)]
    pub(in crate::telemetry) fn even(day: Date) -> Self {
        Self { day, even: SURE, jumped: false }
    }

    #[cfg(test)]
    pub(in crate::telemetry) fn at_start(day: Date) -> Self {
        Self { even: EVEN, ..Self::even(day) }
    }
}

fn differ(a: SystemTime, b: SystemTime) -> Duration {
    a.duration_since(b).unwrap_or_else(|later| later.duration())
}

#[cfg(test)]
pub(in crate::telemetry) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const YEARS: Duration = Duration::from_secs(60 * 365 * 86_400);

    /// A clock that a test sets. Cloning shares it.
    #[derive(Clone)]
    pub(in super::super) struct Hands(Arc<Mutex<Look>>);

    impl Hands {
        /// At a moment of 2026-02-28, twelve hours before its end.
        pub(in super::super) fn new() -> Self {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_280_000);
            Self(Arc::new(Mutex::new(Look { at: Instant::now(), wall })))
        }

        /// Both clocks run on.
        pub(in super::super) fn run(&self, time: Duration) {
            let mut look = self.0.lock().unwrap();
            look.at += time;
            look.wall += time;
        }

        /// The wall clock jumps.
        pub(in super::super) fn jump(&self, to: impl FnOnce(SystemTime) -> SystemTime) {
            let mut look = self.0.lock().unwrap();
            look.wall = to(look.wall);
        }

        pub(in super::super) fn clock(&self) -> Clock {
            let theirs = self.clone();
            Clock::new(move || *theirs.0.lock().unwrap())
        }
    }

    /// Lets it run, and looks on the way.
    fn watch(hands: &Hands, clock: &mut Clock, time: Duration) -> Moment {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(300));
            hands.run(step);
            left -= step;
            clock.look();
        }
        clock.look()
    }

    #[test]
    fn a_clock_that_runs_evenly_is_believed_sooner_where_the_last_days_speak_for_it() {
        let hands = Hands::new();
        let mut clock = hands.clock();
        let start = clock.look();
        assert!(start.is_settled() && !start.is_sure(true), "one look is not enough to remove anything");
        let later = watch(&hands, &mut clock, EVEN);
        assert!(later.is_sure(true) && !later.is_sure(false));
        assert!(watch(&hands, &mut clock, SURE).is_sure(false));
    }

    #[test]
    fn after_a_jump_either_way_nothing_is_sure_for_long() {
        let there = |wall: SystemTime| wall + YEARS;
        let back = |wall: SystemTime| wall - YEARS;
        for (jump, return_) in
            [(&there as &dyn Fn(SystemTime) -> SystemTime, &back as &dyn Fn(_) -> _), (&back, &there)]
        {
            let hands = Hands::new();
            let mut clock = hands.clock();
            let before = watch(&hands, &mut clock, SURE * 2);
            assert!(before.is_sure(false));
            hands.jump(jump);
            let during = watch(&hands, &mut clock, Duration::from_secs(2));
            assert!(during.day != before.day && !during.is_settled() && !during.is_sure(true));
            hands.jump(return_);
            clock.look();
            let after = watch(&hands, &mut clock, Duration::from_secs(59));
            assert!(after.day == before.day && !after.is_settled() && !after.is_sure(true));
            let settled = watch(&hands, &mut clock, Duration::from_secs(1));
            assert!(settled.is_settled() && !settled.is_sure(true));
            assert!(watch(&hands, &mut clock, SURE).is_sure(false));
        }
    }

    #[test]
    fn corrections_are_no_jump_and_a_clock_that_races_is_one() {
        let hands = Hands::new();
        let mut clock = hands.clock();
        for _ in 0..1000 {
            hands.jump(|wall| wall + Duration::from_millis(30));
            assert!(watch(&hands, &mut clock, Duration::from_secs(60)).is_settled());
        }
        let even = clock.look();
        for _ in 0..3000 {
            hands.jump(|wall| wall + Duration::from_secs(1));
            watch(&hands, &mut clock, Duration::from_secs(1));
        }
        assert!(even.is_settled() && !clock.look().is_settled());
    }

    #[test]
    fn a_pause_after_which_both_are_elsewhere_is_one_late_look() {
        let hands = Hands::new();
        let mut clock = hands.clock();
        watch(&hands, &mut clock, SURE);
        hands.run(YEARS);
        let moment = clock.look();
        assert!(!moment.is_settled() && !moment.is_sure(true));
    }
}
