//! The rules of delivery: which event is sent next, and what becomes of one after an attempt. No thread, no clock.
//!
//! Of one room one event at a time is on its way, in the order in which they happened, so a slow or failing one holds up its own
//! room and no other. Rooms have their turn by when their next event may be sent.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use super::event::RoomEvent;
use crate::{config::Settings, protocol::RoomName, telemetry::WebhookDrop};

/// One room may use this part of the queue, so that one whose event fails again and again leaves room for all others.
const ROOM_SHARE: usize = 8;

/// What the queue is held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueRules {
    /// `webhooks.parallel`.
    pub(super) parallel: usize,
    /// Events of one room.
    pub(super) room_events: usize,
    /// `webhooks.retry_min_ms`.
    pub(super) retry_min: Duration,
    /// `webhooks.retry_max_ms`.
    pub(super) retry_max: Duration,
    /// `webhooks.keep_ms`.
    pub(super) keep: Duration,
}

impl From<&Settings> for QueueRules {
    fn from(settings: &Settings) -> Self {
        let webhooks = &settings.webhooks;
        Self {
            parallel: webhooks.parallel,
            room_events: (webhooks.queue_events / ROOM_SHARE).max(1),
            retry_min: webhooks.retry_min_ms.get(),
            retry_max: webhooks.retry_max_ms.get(),
            keep: webhooks.keep_ms.get(),
        }
    }
}

/// What waits, by room.
#[derive(Debug)]
pub(super) struct Queue {
    rules: QueueRules,
    rooms: HashMap<RoomName, Room>,
    /// Rooms with something to send and nothing on its way, by when they may be looked at; the number makes each key one of its own.
    due: BTreeMap<(Instant, u64), RoomName>,
    /// The receiver has asked for no request before that (`Retry-After`).
    held_until: Option<Instant>,
    on_their_way: usize,
}

/// What waits of one room.
#[derive(Debug, Default)]
struct Room {
    events: VecDeque<RoomEvent>,
    /// How often the first of them was tried.
    attempts: u32,
    /// Its first event is being sent, and is not among them.
    is_busy: bool,
}

/// An event that is to be sent. It is nowhere else meanwhile.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) event: RoomEvent,
    /// 1 for the first.
    pub(super) number: u32,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Next {
    Send(Attempt),
    /// It has waited for longer than events are kept.
    Drop(RoomEvent),
}

/// What an attempt has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It will never take it.
    Refused,
    /// It may take it later; not before that time is over, if it said so.
    Later(Option<Duration>),
}

/// What becomes of an event that was tried.
#[derive(Debug)]
pub(super) enum Settled {
    Delivered(RoomEvent),
    Dropped(RoomEvent, WebhookDrop),
    /// It is tried again.
    Waits,
}

impl Queue {
    pub(super) fn new(rules: QueueRules) -> Self {
        Self { rules, rooms: HashMap::new(), due: BTreeMap::new(), held_until: None, on_their_way: 0 }
    }

    /// One more event waits; or, if its room has its share, it is given back.
    pub(super) fn push(&mut self, event: RoomEvent, now: Instant) -> Option<RoomEvent> {
        let (rules, sequence) = (self.rules, event.sequence);
        let room = self.rooms.entry(event.room.clone()).or_default();
        if room.events.len() >= rules.room_events {
            return Some(event);
        }
        if room.events.is_empty() && !room.is_busy {
            self.due.insert((now, sequence), event.room.clone());
        }
        room.events.push_back(event);
        None
    }

    /// What to do now, if anything. To be called until it has nothing more.
    pub(super) fn next(&mut self, now: Instant) -> Option<Next> {
        let (&(due, sequence), _) = self.due.first_key_value()?;
        let held = self.held_until.is_some_and(|until| now < until);
        if due > now || held || self.on_their_way >= self.rules.parallel {
            return None;
        }
        let name = self.due.remove(&(due, sequence))?;
        let room = self.rooms.get_mut(&name)?;
        let event = room.events.pop_front()?;
        if is_over(&event, self.rules.keep, now) {
            room.attempts = 0;
            self.go_on(&name, now);
            return Some(Next::Drop(event));
        }
        room.attempts += 1;
        room.is_busy = true;
        self.on_their_way += 1;
        Some(Next::Send(Attempt { event, number: room.attempts }))
    }

    /// An attempt is over. `random`: of 0 to 1, for the wait before the next.
    pub(super) fn settle(&mut self, attempt: Attempt, verdict: Verdict, now: Instant, random: f64) -> Settled {
        let Attempt { event, number } = attempt;
        let name = event.room.clone();
        self.on_their_way = self.on_their_way.saturating_sub(1);
        let room = self.rooms.entry(name.clone()).or_default();
        room.is_busy = false;
        let settled = match verdict {
            Verdict::Delivered => Settled::Delivered(event),
            Verdict::Refused => Settled::Dropped(event, WebhookDrop::Refused),
            Verdict::Later(asked) => {
                let asked = asked.map(|asked| asked.min(self.rules.retry_max));
                if let Some(asked) = asked {
                    self.held_until = self.held_until.max(Some(now + asked));
                }
                let wait = self.rules.wait(number, random).max(asked.unwrap_or_default());
                if is_over(&event, self.rules.keep, now + wait) {
                    Settled::Dropped(event, WebhookDrop::Expired)
                } else {
                    self.due.insert((now + wait, event.sequence), name.clone());
                    room.events.push_front(event);
                    return Settled::Waits;
                }
            }
        };
        room.attempts = 0;
        self.go_on(&name, now);
        settled
    }

    /// The room's next event may be sent; without one the room is forgotten.
    fn go_on(&mut self, name: &RoomName, now: Instant) {
        let Some(room) = self.rooms.get(name) else { return };
        match room.events.front() {
            Some(event) => {
                self.due.insert((now, event.sequence), name.clone());
            }
            None => {
                self.rooms.remove(name);
            }
        }
    }

    /// All that waits for another attempt is tried at once, and again after the shortest wait, whatever the receiver asks for: there
    /// is no later.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.held_until = None;
        self.rules.retry_max = self.rules.retry_max.min(self.rules.retry_min);
        let later = self.due.split_off(&(now, u64::MAX));
        self.due.extend(later.into_iter().map(|((_, sequence), room)| ((now, sequence), room)));
    }

    /// When there is something to do again, if nothing happens meanwhile.
    pub(super) fn wakes(&self) -> Option<Instant> {
        let ((due, _), _) = self.due.first_key_value()?;
        let is_free = self.on_their_way < self.rules.parallel;
        is_free.then(|| self.held_until.map_or(*due, |held| held.max(*due)))
    }

    /// Whether nothing waits and nothing is on its way.
    pub(super) fn is_idle(&self) -> bool {
        self.rooms.is_empty()
    }
}

impl QueueRules {
    /// The wait after so many attempts: a random part of one that doubles (full jitter).
    fn wait(&self, attempts: u32, random: f64) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1)).and_then(|by| self.retry_min.checked_mul(by));
        doubled.unwrap_or(self.retry_max).min(self.retry_max).mul_f64(random.clamp(0.0, 1.0))
    }
}

fn is_over(event: &RoomEvent, keep: Duration, now: Instant) -> bool {
    now.saturating_duration_since(event.since) > keep
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::webhooks::event::tests::sample;

    const SECOND: Duration = Duration::from_secs(1);
    const RULES: QueueRules = QueueRules {
        parallel: 2,
        room_events: 4,
        retry_min: SECOND,
        retry_max: Duration::from_secs(60),
        keep: Duration::from_secs(600),
    };

    fn sent(queue: &mut Queue, now: Instant) -> Option<Attempt> {
        match queue.next(now)? {
            Next::Send(attempt) => Some(attempt),
            Next::Drop(event) => panic!("{event:?} is dropped"),
        }
    }

    #[test]
    fn a_slow_event_holds_up_its_own_room_only() {
        let (mut queue, now) = (Queue::new(RULES), Instant::now());
        for (room, sequence) in [("a", 1), ("a", 2), ("b", 3), ("b", 4)] {
            assert!(queue.push(sample(room, sequence, now), now).is_none());
        }
        let slow = sent(&mut queue, now).expect("the first");
        for sequence in [3, 4] {
            let attempt = sent(&mut queue, now).expect("the other room's");
            assert_eq!(attempt.event.sequence, sequence);
            assert!(matches!(queue.settle(attempt, Verdict::Delivered, now, 1.0), Settled::Delivered(_)));
        }
        assert!(sent(&mut queue, now).is_none(), "the slow room's second waits for its first");
        queue.settle(slow, Verdict::Delivered, now, 1.0);
        assert_eq!(sent(&mut queue, now).map(|attempt| attempt.event.sequence), Some(2));
    }

    #[test]
    fn an_event_is_tried_again_after_waits_that_double_until_it_is_too_old() {
        let (mut queue, start) = (Queue::new(RULES), Instant::now());
        queue.push(sample("a", 1, start), start);
        let (mut now, mut waits) = (start, Vec::new());
        loop {
            let attempt = sent(&mut queue, now).expect("it is due");
            match queue.settle(attempt, Verdict::Later(None), now, 1.0) {
                Settled::Waits => {}
                Settled::Dropped(_, why) => {
                    assert_eq!(why, WebhookDrop::Expired);
                    break;
                }
                Settled::Delivered(_) => panic!("it was not"),
            }
            let due = queue.wakes().expect("it waits");
            let early = due.checked_sub(Duration::from_millis(1)).expect("it is later than now");
            assert!(queue.next(early).is_none());
            waits.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(queue.is_idle() && now - start <= RULES.keep);
        assert_eq!(RULES.wait(3, 0.5), 2 * SECOND);
        assert_eq!(RULES.wait(u32::MAX, 1.0), RULES.retry_max);
    }

    #[test]
    fn the_receiver_says_when_and_is_believed_within_bounds() {
        let (mut queue, now) = (Queue::new(RULES), Instant::now());
        queue.push(sample("a", 1, now), now);
        queue.push(sample("b", 2, now), now);
        let attempt = sent(&mut queue, now).expect("due");
        queue.settle(attempt, Verdict::Later(Some(10 * SECOND)), now, 0.0);
        assert!(queue.next(now + 9 * SECOND).is_none(), "no room is sent, since it is the receiver that asks");
        assert_eq!(queue.wakes(), Some(now + 10 * SECOND));
        let attempt = sent(&mut queue, now + 10 * SECOND).expect("due");
        queue.settle(attempt, Verdict::Later(Some(1_000_000 * SECOND)), now, 0.0);
        assert_eq!(queue.wakes(), Some(now + RULES.retry_max));
        queue.hurry(now);
        let attempt = sent(&mut queue, now).expect("at the end nothing waits");
        assert!(sent(&mut queue, now).is_some());
        queue.settle(attempt, Verdict::Later(Some(60 * SECOND)), now, 1.0);
        assert_eq!(queue.wakes(), Some(now + RULES.retry_min), "nor for longer than the shortest wait");
    }

    #[test]
    fn what_nobody_wants_or_what_is_too_old_is_dropped_and_the_next_is_sent() {
        let (mut queue, now) = (Queue::new(RULES), Instant::now());
        for sequence in 1..=4 {
            assert!(queue.push(sample("a", sequence, now), now).is_none());
        }
        assert!(queue.push(sample("a", 5, now), now).is_some(), "it has its share");
        let attempt = sent(&mut queue, now).expect("due");
        let settled = queue.settle(attempt, Verdict::Refused, now, 1.0);
        assert!(matches!(settled, Settled::Dropped(_, WebhookDrop::Refused)));
        let late = now + RULES.keep + SECOND;
        for sequence in 2..=4 {
            assert!(matches!(queue.next(late), Some(Next::Drop(event)) if event.sequence == sequence));
        }
        assert!(queue.next(late).is_none() && queue.is_idle());
    }

    proptest! {
        /// Whatever becomes of them: each event ends once, those of a room in order, no room has two on their way, no more than
        /// may are, and something is always due while anything waits.
        #[test]
        fn every_event_ends_once_and_in_its_rooms_order(
            rooms in prop::collection::vec(0_u8..5, 1..60),
            verdicts in prop::collection::vec((0_u8..4, 0.0_f64..1.0), 1..40),
        ) {
            let rules = QueueRules { room_events: 100, ..RULES };
            let (mut queue, mut now) = (Queue::new(rules), Instant::now());
            let mut coming = rooms.iter().zip(1_u64..);
            let (mut busy, mut ended): (Vec<Attempt>, Vec<RoomEvent>) = (Vec::new(), Vec::new());
            let mut verdicts = verdicts.into_iter().cycle();
            loop {
                if let Some((room, sequence)) = coming.next() {
                    queue.push(sample(&room.to_string(), sequence, now), now);
                } else if queue.is_idle() {
                    break;
                }
                while let Some(next) = queue.next(now) {
                    match next {
                        Next::Drop(event) => ended.push(event),
                        Next::Send(attempt) => {
                            prop_assert!(busy.iter().all(|other| other.event.room != attempt.event.room));
                            busy.push(attempt);
                        }
                    }
                }
                prop_assert!(busy.len() <= rules.parallel);
                let (verdict, random) = verdicts.next().expect("a cycle");
                if busy.is_empty() {
                    now = now.max(queue.wakes().unwrap_or(now));
                    continue;
                }
                let attempt = busy.remove(usize::from(verdict) % busy.len());
                let verdict = match verdict {
                    0 => Verdict::Delivered,
                    1 => Verdict::Refused,
                    2 => Verdict::Later(None),
                    _ => Verdict::Later(Some(SECOND)),
                };
                match queue.settle(attempt, verdict, now, random) {
                    Settled::Delivered(event) | Settled::Dropped(event, _) => ended.push(event),
                    Settled::Waits => {}
                }
                now += SECOND;
            }
            prop_assert_eq!(ended.len(), rooms.len());
            for room in &rooms {
                let of_room = ended.iter().filter(|event| event.room.as_str() == room.to_string());
                prop_assert!(of_room.map(|event| event.sequence).is_sorted());
            }
        }
    }
}
