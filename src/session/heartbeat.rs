//! The rule of heartbeats and deadlines: what a sweep finds of one connection, and what is to be done about it.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use crate::{config::Settings, moment::Moment, protocol::EndReason};

/// When pings are due.
#[derive(Debug, Clone, Copy)]
pub struct HeartbeatTimes {
    /// A client silent for this long is pinged.
    pub interval: Duration,
    /// A client silent for this long is gone.
    pub timeout: Duration,
}

impl From<&Settings> for HeartbeatTimes {
    fn from(settings: &Settings) -> Self {
        let heartbeat = &settings.heartbeat;
        Self { interval: heartbeat.interval_ms.get(), timeout: heartbeat.ping_timeout().get() }
    }
}

/// What the sweep remembers of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beat {
    alive_at: Instant,
    pinged: bool,
}

/// What is remembered of one session's signs of life, between its reader, who has them, and the sweep.
pub(super) struct Pulse {
    /// A [`Beat`], in cells of their own: together they would take a word more.
    alive_at: Cell<Moment>,
    pinged: Cell<bool>,
    /// Whether anything was received since the sweep's last look.
    received: Cell<bool>,
}

impl Pulse {
    pub(super) fn since(now: Instant) -> Self {
        Self { alive_at: Cell::new(now.into()), pinged: Cell::new(false), received: Cell::new(false) }
    }

    /// Something was received. Whether it is the first since the last look.
    #[inline]
    pub(super) fn received(&self) -> bool {
        !self.received.replace(true)
    }

    /// Another connection, whose silence begins now.
    pub(super) fn restart(&self, now: Instant) {
        self.remember(Beat::since(now));
    }

    /// Whether anything was received since this was asked last. For the sweep.
    pub(super) fn take_received(&self) -> bool {
        self.received.replace(false)
    }

    /// See [`Beat::judge`]. For the sweep.
    pub(super) fn judge(&self, found: Found, now: Instant, heartbeat: HeartbeatTimes, late: bool) -> Verdict {
        let mut beat = Beat { alive_at: self.alive_at.get().instant(), pinged: self.pinged.get() };
        let verdict = beat.judge(found, now, heartbeat, late);
        self.remember(beat);
        verdict
    }

    fn remember(&self, Beat { alive_at, pinged }: Beat) {
        self.alive_at.set(alive_at.into());
        self.pinged.set(pinged);
    }
}

/// What a sweep finds of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Whether it has a socket.
    pub(super) attached: bool,
    /// Whether anything was received since the last look.
    pub(super) received: bool,
    /// Whether it holds memory that an idle connection gives back.
    pub(super) restless: bool,
    pub(super) deadline: Option<(Instant, EndReason)>,
}

/// What is to be done about it, and when to look again if nothing happens to it; `None`: there is no need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) ping: bool,
    pub(super) rest: bool,
    pub(super) end: Option<EndReason>,
    pub(super) again: Option<Instant>,
}

impl Beat {
    pub(super) fn since(now: Instant) -> Self {
        Self { alive_at: now, pinged: false }
    }

    /// The rule of heartbeats: one ping per silence, the end after `timeout`; a late sweep ends nobody.
    fn next(&mut self, received: bool, now: Instant, heartbeat: HeartbeatTimes, late: bool) -> Due {
        if received {
            *self = Self::since(now);
            return Due::Nothing;
        }
        let silent = now.saturating_duration_since(self.alive_at);
        if silent >= heartbeat.timeout && self.pinged && !late {
            Due::Timeout
        } else if silent >= heartbeat.interval && !self.pinged {
            self.pinged = true;
            Due::Ping
        } else {
            Due::Nothing
        }
    }

    /// When the rule next asks for something, in silence.
    fn due(&self, heartbeat: HeartbeatTimes) -> Instant {
        self.alive_at + if self.pinged { heartbeat.timeout } else { heartbeat.interval }
    }

    /// All that a sweep decides about one connection. To ask it of a connection that is not due does no harm.
    pub(super) fn judge(&mut self, found: Found, now: Instant, heartbeat: HeartbeatTimes, late: bool) -> Verdict {
        let Found { attached, received, restless, deadline } = found;
        let mut verdict = Verdict { ping: false, rest: attached && !received && restless, end: None, again: None };
        if attached {
            match self.next(received, now, heartbeat, late) {
                Due::Nothing => {}
                Due::Ping => verdict.ping = true,
                Due::Timeout => verdict.end = Some(EndReason::PingTimeout),
            }
            // One that received something gives memory back if it has received nothing more by the next sweep.
            verdict.again = Some(if received && restless { now } else { self.due(heartbeat) });
        }
        if let Some((at, why)) = deadline {
            if now >= at && !late {
                verdict.end = verdict.end.or(Some(why));
            }
            verdict.again = Some(verdict.again.map_or(at, |again| again.min(at)));
        }
        verdict
    }
}

/// What heartbeats ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    Ping,
    Timeout,
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEARTBEAT: HeartbeatTimes =
        HeartbeatTimes { interval: Duration::from_secs(30), timeout: Duration::from_secs(60) };

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_is_pinged_once_and_then_ended() {
        let start = Instant::now();
        let mut beat = Beat::since(start);
        let mut due = |seconds, received| beat.next(received, at(start, seconds), HEARTBEAT, false);
        assert_eq!(due(29, false), Due::Nothing);
        assert_eq!(due(30, false), Due::Ping);
        assert_eq!(due(31, false), Due::Nothing);
        assert_eq!(due(60, false), Due::Timeout);
    }

    #[test]
    fn one_byte_begins_the_silence_anew() {
        let start = Instant::now();
        let mut beat = Beat::since(start);
        assert_eq!(beat.next(false, at(start, 30), HEARTBEAT, false), Due::Ping);
        assert_eq!(beat.next(true, at(start, 59), HEARTBEAT, false), Due::Nothing);
        assert_eq!(beat.next(false, at(start, 60), HEARTBEAT, false), Due::Nothing);
        assert_eq!(beat.next(false, at(start, 89), HEARTBEAT, false), Due::Ping);
    }

    #[test]
    fn a_late_sweep_pings_but_ends_nobody() {
        let start = Instant::now();
        let mut beat = Beat::since(start);
        assert_eq!(beat.next(false, at(start, 500), HEARTBEAT, true), Due::Ping);
        assert_eq!(beat.next(false, at(start, 501), HEARTBEAT, true), Due::Nothing);
    }
}
