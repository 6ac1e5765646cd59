//! Whether every thread and the supervisor answer. They are asked here, once for all who want to know: the watchdog, whose
//! thread makes the rounds, the probes, the health checks and the shutdown.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix_rt::ArbiterHandle;

use crate::late::LateGuard;

/// Everybody is asked this many times within the silence that is tolerated. Each time wakes every thread, also where
/// nothing else happens; fewer would find a silence later.
const ROUNDS: u32 = 3;
/// A round this much later than planned says nothing about those who did not answer.
const LATE: Duration = Duration::from_millis(500);

/// A part of the server that it cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A thread with sessions and rooms, by its index among them.
    Worker(usize),
    /// The main thread.
    Main,
    /// The thread of the metrics.
    Metrics,
    /// The thread that accepts sockets.
    Accept,
    /// The actor of that name, which may hang or be gone while its thread goes on.
    Supervisor,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(index) => write!(f, "worker {index}"),
            Self::Main => f.write_str("main"),
            Self::Metrics => f.write_str("metrics"),
            Self::Accept => f.write_str("accept"),
            Self::Supervisor => f.write_str("supervisor"),
        }
    }
}

/// Whether the process lives, as it was seen last. Cloning shares it; reading waits for nobody who is asked.
///
/// Shared between threads on purpose: probes read it on every arbiter, and who asks is no actor.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The server is on its way out, and its threads end.
    over: AtomicBool,
    /// As the last round found it.
    seen: Mutex<Vec<(Part, Seen)>>,
}

/// How a part answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// It has not for longer than is tolerated.
    pub silent: bool,
    /// How long its last answer took, or the one that is awaited has taken so far.
    pub took: Duration,
}

impl Liveness {
    /// Whether everybody answers.
    #[must_use]
    pub fn alive(&self) -> bool {
        !self.worst_of(|_| true).silent
    }

    /// How the worst of these parts answers.
    #[must_use]
    pub fn worst_of(&self, those: impl Fn(Part) -> bool) -> Seen {
        let worse = |a: Seen, b: Seen| Seen { silent: a.silent || b.silent, took: a.took.max(b.took) };
        self.seen()
            .iter()
            .filter(|(part, _)| those(*part))
            .fold(Seen::default(), |worst, (_, seen)| worse(worst, *seen))
    }

    /// Nobody is asked any more: what ends from now on ends because it should.
    pub fn dismiss(&self) {
        self.0.over.store(true, Ordering::Release);
    }

    /// Whether that was said.
    #[must_use]
    pub fn is_dismissed(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }

    fn publish(&self, seen: impl Iterator<Item = (Part, Seen)>) {
        let mut list = self.seen();
        list.clear();
        list.extend(seen);
    }

    fn seen(&self) -> MutexGuard<'_, Vec<(Part, Seen)>> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a question was heard, and when.
#[derive(Debug, Clone, Default)]
pub struct Answer(Arc<Mutex<Option<Instant>>>);

impl Answer {
    /// To be called by whoever is asked, on the thread that is watched.
    pub fn give(&self) {
        self.give_at(Instant::now());
    }

    fn give_at(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }

    fn take(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Somebody who has to answer.
pub struct Subject {
    part: Part,
    ask: Box<dyn Fn(Answer) + Send>,
    answer: Answer,
    /// When the question was put that has no answer yet. There is one at a time, so that none pile up before somebody
    /// who does not take them.
    asked: Option<Instant>,
    /// How long the last answer took.
    took: Duration,
}

impl Subject {
    /// `ask` hands the question over without waiting. One that cannot be handed over is one that has no answer.
    pub fn new(part: Part, ask: impl Fn(Answer) + Send + 'static) -> Self {
        Self { part, ask: Box::new(ask), answer: Answer::default(), asked: None, took: Duration::ZERO }
    }

    /// A thread that runs what it is given.
    #[must_use]
    pub fn arbiter(part: Part, arbiter: ArbiterHandle) -> Self {
        Self::new(part, move |answer| {
            // `false`: it is gone, and so is its answer.
            arbiter.spawn_fn(move || answer.give());
        })
    }

    /// For how long it has been silent.
    fn silent(&mut self, now: Instant) -> Duration {
        if let (Some(answered), Some(asked)) = (self.answer.take(), self.asked) {
            self.took = answered.saturating_duration_since(asked);
            self.asked = None;
        }
        if let Some(asked) = self.asked {
            return now.saturating_duration_since(asked);
        }
        self.asked = Some(now);
        (self.ask)(self.answer.clone());
        Duration::ZERO
    }
}

/// What a round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// How many are silent for longer than is tolerated.
    pub silent: usize,
    /// The one that is silent longest, and for how long.
    pub worst: Option<(Part, Duration)>,
}

/// Asks everybody, round by round; time is passed in.
pub struct Watch {
    /// Silence that is tolerated.
    tolerated: Duration,
    subjects: Vec<Subject>,
    guard: LateGuard,
    liveness: Liveness,
}

impl Watch {
    /// Of these subjects, each of which is silent once it has not answered for `tolerated`. What is found can be read from
    /// `liveness`.
    #[must_use]
    pub fn new(subjects: Vec<Subject>, tolerated: Duration, liveness: Liveness, now: Instant) -> Self {
        Self { tolerated, subjects, guard: LateGuard::new(now, LATE), liveness }
    }

    /// The time between two rounds.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.tolerated / ROUNDS
    }

    /// Takes the answers, and asks those who have answered. A round that is late itself (a stopped process, a paused
    /// machine) has seen no silence: who has not answered yet gets all the time there is.
    pub fn round(&mut self, now: Instant) -> Found {
        if self.guard.look(now, self.pause()).is_late {
            self.subjects.iter_mut().for_each(|subject| subject.asked = subject.asked.map(|_| now));
        }
        let silences: Vec<_> = self.subjects.iter_mut().map(|subject| (subject.part, subject.silent(now))).collect();
        let found = Found {
            silent: silences.iter().filter(|(_, silent)| *silent >= self.tolerated).count(),
            // Of several the first one: a thread before the actor that hangs with it.
            worst: silences.iter().rev().copied().max_by_key(|(_, silent)| *silent),
        };
        let seen = silences.iter().zip(&self.subjects).map(|(&(part, silent), subject)| {
            (part, Seen { silent: silent >= self.tolerated, took: subject.took.max(silent) })
        });
        self.liveness.publish(seen);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERATED: Duration = Duration::from_secs(1);
    const SLOW: Part = Part::Supervisor;

    /// Two subjects: the first answers at once, the second keeps its questions for the test to answer.
    fn watch(start: Instant) -> (Watch, Liveness, Arc<Mutex<Vec<Answer>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let questions = Arc::clone(&kept);
        let subjects = vec![
            Subject::new(Part::Main, |answer: Answer| answer.give()),
            Subject::new(SLOW, move |answer| questions.lock().expect("one thread").push(answer)),
        ];
        let liveness = Liveness::default();
        (Watch::new(subjects, TOLERATED, liveness.clone(), start), liveness, kept)
    }

    /// The rounds up to a moment, as the watchdog makes them.
    fn rounds(watch: &mut Watch, start: Instant, from_ms: u64, to_ms: u64) -> Vec<(usize, u128)> {
        let times = (from_ms..=to_ms).step_by(200).map(|ms| start + Duration::from_millis(ms));
        times.map(|now| watch.round(now)).map(|found| (found.silent, found.worst.unwrap().1.as_millis())).collect()
    }

    #[test]
    fn who_answers_is_never_silent() {
        let start = Instant::now();
        let (mut watch, liveness, questions) = watch(start);
        for ms in (0..10_000).step_by(200) {
            let now = start + Duration::from_millis(ms);
            let found = watch.round(now);
            assert_eq!((found.silent, found.worst.unwrap().1), (0, Duration::ZERO), "at {ms}");
            questions.lock().expect("one thread").drain(..).for_each(|answer| answer.give_at(now));
        }
        assert!(liveness.alive() && !liveness.worst_of(|_| true).silent);
    }

    #[test]
    fn silence_is_measured_from_the_question_and_there_is_one_question_at_a_time() {
        let start = Instant::now();
        let (mut watch, liveness, questions) = watch(start);
        let found = rounds(&mut watch, start, 0, 1000);
        assert_eq!(found, [(0, 0), (0, 200), (0, 400), (0, 600), (0, 800), (1, 1000)]);
        assert_eq!(watch.round(start + Duration::from_millis(1200)).worst.unwrap().0, SLOW);
        assert!(!liveness.alive() && !liveness.worst_of(|part| part == Part::Main).silent);
        assert_eq!(liveness.worst_of(|part| part == SLOW), Seen { silent: true, took: Duration::from_millis(1200) });
        let mut open = questions.lock().expect("one thread");
        assert_eq!(open.len(), 1);
        open.pop().expect("a question").give_at(start + Duration::from_millis(1300));
        drop(open);
        assert_eq!(watch.round(start + Duration::from_millis(1400)).silent, 0);
        assert_eq!(questions.lock().expect("one thread").len(), 1, "asked anew");
        assert_eq!(liveness.worst_of(|_| true), Seen { silent: false, took: Duration::from_millis(1300) });
    }

    #[test]
    fn of_those_that_are_silent_for_as_long_the_first_is_named() {
        let start = Instant::now();
        let subjects = [Part::Main, Part::Supervisor].map(|part| Subject::new(part, drop)).into();
        let mut watch = Watch::new(subjects, TOLERATED, Liveness::default(), start);
        watch.round(start);
        let found = watch.round(start + TOLERATED / ROUNDS);
        assert_eq!(found, Found { silent: 0, worst: Some((Part::Main, TOLERATED / ROUNDS)) });
    }

    #[test]
    fn a_watch_that_was_late_itself_starts_anew() {
        let start = Instant::now();
        let (mut watch, _liveness, _questions) = watch(start);
        rounds(&mut watch, start, 0, 800);
        let found = rounds(&mut watch, start, 60_000, 60_800);
        assert_eq!(found.first(), Some(&(0, 0)));
        assert_eq!(found.last(), Some(&(0, 800)));
        assert_eq!(rounds(&mut watch, start, 61_000, 61_000), [(1, 1000)]);
    }

    #[test]
    fn who_is_gone_cannot_answer() {
        let arbiter = actix_rt::System::new().block_on(async {
            let arbiter = actix_rt::Arbiter::new();
            let handle = arbiter.handle();
            arbiter.stop();
            arbiter.join().expect("a thread that ends");
            handle
        });
        let start = Instant::now();
        let subjects = vec![Subject::arbiter(Part::Worker(0), arbiter)];
        let mut watch = Watch::new(subjects, TOLERATED, Liveness::default(), start);
        assert_eq!(rounds(&mut watch, start, 0, 1000).last(), Some(&(1, 1000)));
    }
}
