//! The watch over the server's own threads: a server that hangs must not go on as if it lived.
//!
//! One plain thread, which nothing in the server can stop, asks every arbiter and the supervisor to answer. One that
//! stays silent is told of by `/healthz`, and then ends the process with [`EXIT_CODE`], for whoever runs it to start it
//! anew: half a server, whose sockets are open and whose joins are never answered, is worse than none.
//!
//! A watch that was itself late (a stopped process, a paused machine) has seen no silence: it starts anew.

use std::{
    future::Future,
    io, process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use actix::Recipient;
use actix_rt::{Arbiter, ArbiterHandle};

use crate::{
    messages::{send_unbounded, supervisor::Ping},
    telemetry::{self, Event},
};

/// What a wedged process ends with: `EX_SOFTWARE` of sysexits.h. 1 is a server that did not start.
pub const EXIT_CODE: u16 = 70;
/// Everybody is asked this many times within `watchdog.silent_ms`. Each time wakes every thread, also where nothing else
/// happens; fewer would find a silence later.
const ROUNDS: u32 = 3;
/// A round this much later than planned says nothing about those who did not answer.
const LATE: Duration = Duration::from_millis(500);
/// How long the last line may take to be written.
const LAST_LINE: Duration = Duration::from_millis(300);

/// How long silence is borne.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Then `/healthz` says 503.
    pub silent: Duration,
    /// Then the process ends.
    pub exit: Duration,
}

impl Timeouts {
    fn round(self) -> Duration {
        self.silent / ROUNDS
    }
}

/// Whether the process lives, as the watch saw it last. Cloning shares it; reading waits for nothing.
///
/// Shared between threads on purpose: probes ask it on every arbiter, and the watch is no actor.
#[derive(Debug, Clone, Default)]
pub struct Liveness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Subjects that are silent.
    silent: AtomicUsize,
    /// The server is on its way out, and its threads end.
    over: AtomicBool,
}

impl Liveness {
    /// Whether everybody answers.
    #[must_use]
    pub fn alive(&self) -> bool {
        self.0.silent.load(Ordering::Acquire) == 0
    }

    /// The watch is over: what ends from now on ends because it should.
    pub fn dismiss(&self) {
        self.0.over.store(true, Ordering::Release);
    }
}

/// Says that a question was heard.
#[derive(Debug, Clone, Default)]
pub struct Answer(Arc<AtomicBool>);

impl Answer {
    /// To be called by whoever is asked, on the thread that is watched.
    pub fn give(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// Somebody who has to answer.
pub struct Subject {
    name: String,
    ask: Box<dyn Fn(Answer) + Send>,
    answer: Answer,
    /// When the question was put that has no answer yet. There is one at a time, so that none pile up before somebody
    /// who does not take them.
    asked: Option<Instant>,
}

impl Subject {
    /// `ask` hands the question over without waiting. One that cannot be handed over is one that has no answer.
    pub fn new(name: impl Into<String>, ask: impl Fn(Answer) + Send + 'static) -> Self {
        Self { name: name.into(), ask: Box::new(ask), answer: Answer::default(), asked: None }
    }

    /// A thread that runs what it is given.
    pub fn arbiter(name: impl Into<String>, arbiter: ArbiterHandle) -> Self {
        Self::new(name, move |answer| {
            // `false`: it is gone, and so is its answer.
            arbiter.spawn_fn(move || answer.give());
        })
    }

    /// The supervisor, which may hang or be gone while its thread goes on.
    pub fn supervisor(port: Recipient<Ping>) -> Self {
        Self::new("supervisor", move |answer| {
            // `false`, as above.
            let _ = send_unbounded(&port, Ping(Box::new(move || answer.give())));
        })
    }

    /// For how long it has been silent.
    fn silent(&mut self, now: Instant) -> Duration {
        if self.answer.take() {
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

/// Spawns what the calling arbiter is for. A panic ends a task and nobody else: an arbiter whose own work is over would go
/// on answering the watch. So its arbiter ends with it, and the watch finds that.
pub fn spawn_vital(task: impl Future<Output = ()> + 'static) {
    let arbiter = EndsWithPanic(Arbiter::current());
    actix_rt::spawn(async move {
        let _arbiter = arbiter;
        task.await;
    });
}

struct EndsWithPanic(ArbiterHandle);

impl Drop for EndsWithPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            // `false`: it is gone already.
            self.0.stop();
        }
    }
}

/// What a round found.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// How many are silent for longer than they may.
    silent: usize,
    /// The one that is silent longest, and for how long.
    worst: (String, Duration),
}

/// The rules of the watch; time is passed in.
struct Watch {
    timeouts: Timeouts,
    subjects: Vec<Subject>,
    last: Instant,
}

impl Watch {
    fn round(&mut self, now: Instant) -> Found {
        let planned = self.last + self.timeouts.round();
        if now.saturating_duration_since(planned) > LATE {
            self.begin_anew(now);
        }
        self.last = now;
        let mut found = Found { silent: 0, worst: (String::new(), Duration::ZERO) };
        for subject in &mut self.subjects {
            let silent = subject.silent(now);
            found.silent += usize::from(silent >= self.timeouts.silent);
            if silent > found.worst.1 {
                found.worst = (subject.name.clone(), silent);
            }
        }
        found
    }

    /// Who has not answered yet gets all the time there is.
    fn begin_anew(&mut self, now: Instant) {
        for subject in &mut self.subjects {
            subject.asked = subject.asked.map(|_| now);
        }
    }
}

/// Starts the watch, on a thread of its own.
///
/// # Errors
/// The thread could not be started.
pub fn start(timeouts: Timeouts, subjects: Vec<Subject>, liveness: Liveness) -> io::Result<()> {
    let watch = Watch { timeouts, subjects, last: Instant::now() };
    thread::Builder::new().name("watchdog".into()).spawn(move || run(watch, &liveness)).map(drop)
}

fn run(mut watch: Watch, liveness: &Liveness) {
    let mut before = Found { silent: 0, worst: (String::new(), Duration::ZERO) };
    while !liveness.0.over.load(Ordering::Acquire) {
        let found = watch.round(Instant::now());
        liveness.0.silent.store(found.silent, Ordering::Release);
        tell_change(&before, &found);
        if found.worst.1 >= watch.timeouts.exit && !liveness.0.over.load(Ordering::Acquire) {
            end(&found);
        }
        before = found;
        thread::sleep(watch.timeouts.round());
    }
}

fn tell_change(before: &Found, found: &Found) {
    let (to, (subject, silent)) = match (before.silent, found.silent) {
        (0, 1..) => ("dead", &found.worst),
        (1.., 0) => ("alive", &before.worst),
        _ => return,
    };
    telemetry::emit(&Event::LivenessChanged { to, subject, silent: *silent });
}

/// Nothing is drained and nobody is told: whoever could do so is who does not answer.
fn end(found: &Found) -> ! {
    let (subject, silent) = &found.worst;
    telemetry::emit(&Event::Wedged { subject, silent: *silent, exit_code: EXIT_CODE });
    telemetry::flush_logs(LAST_LINE);
    process::exit(EXIT_CODE.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const PATIENCE: Timeouts = Timeouts { silent: Duration::from_secs(1), exit: Duration::from_secs(4) };

    /// Two subjects: the first answers at once, the second keeps its questions for the test to answer.
    fn watch(start: Instant) -> (Watch, Arc<Mutex<Vec<Answer>>>) {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let questions = Arc::clone(&kept);
        let subjects = vec![
            Subject::new("quick", |answer: Answer| answer.give()),
            Subject::new("slow", move |answer| questions.lock().expect("one thread").push(answer)),
        ];
        (Watch { timeouts: PATIENCE, subjects, last: start }, kept)
    }

    /// The rounds up to a moment, as the thread makes them.
    fn rounds(watch: &mut Watch, start: Instant, from_ms: u64, to_ms: u64) -> Vec<(usize, u128)> {
        let times = (from_ms..=to_ms).step_by(200).map(|ms| start + Duration::from_millis(ms));
        times.map(|now| watch.round(now)).map(|found| (found.silent, found.worst.1.as_millis())).collect()
    }

    #[actix::test]
    async fn an_arbiter_ends_with_a_vital_task_that_panics_and_with_no_other() {
        let ends = |task: fn()| {
            let arbiter = Arbiter::new();
            arbiter.spawn_fn(task);
            let (sender, ended) = std::sync::mpsc::channel();
            let handle = arbiter.handle();
            thread::spawn(move || sender.send(arbiter.join().is_ok()));
            (handle, ended)
        };
        let (_, ended) = ends(|| spawn_vital(async { panic!("a fault of this test's") }));
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(true));
        let (usual, ended) = ends(|| spawn_vital(async {}));
        let (answer, answered) = std::sync::mpsc::channel();
        assert!(usual.spawn_fn(move || answer.send(()).expect("the test waits")));
        answered.recv_timeout(Duration::from_secs(20)).expect("it goes on");
        usual.stop();
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(true));
    }

    #[test]
    fn who_answers_is_never_silent() {
        let start = Instant::now();
        let (mut watch, questions) = watch(start);
        for ms in (0..10_000).step_by(200) {
            let found = watch.round(start + Duration::from_millis(ms));
            assert_eq!((found.silent, found.worst.1), (0, Duration::ZERO), "at {ms}");
            questions.lock().expect("one thread").drain(..).for_each(|answer| answer.give());
        }
    }

    #[test]
    fn silence_is_measured_from_the_question_and_there_is_one_question_at_a_time() {
        let start = Instant::now();
        let (mut watch, questions) = watch(start);
        let found = rounds(&mut watch, start, 0, 1000);
        assert_eq!(found, [(0, 0), (0, 200), (0, 400), (0, 600), (0, 800), (1, 1000)]);
        assert_eq!(watch.round(start + Duration::from_millis(1200)).worst.0, "slow");
        let mut open = questions.lock().expect("one thread");
        assert_eq!(open.len(), 1);
        open.pop().expect("a question").give();
        drop(open);
        assert_eq!(watch.round(start + Duration::from_millis(1400)).silent, 0);
        assert_eq!(questions.lock().expect("one thread").len(), 1, "asked anew");
    }

    #[test]
    fn a_watch_that_was_late_itself_starts_anew() {
        let start = Instant::now();
        let (mut watch, _questions) = watch(start);
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
        let subjects = vec![Subject::arbiter("gone", arbiter)];
        let mut watch = Watch { timeouts: PATIENCE, subjects, last: start };
        assert_eq!(rounds(&mut watch, start, 0, 1000).last(), Some(&(1, 1000)));
    }
}
