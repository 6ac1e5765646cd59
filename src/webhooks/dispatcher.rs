//! The threads that deliver: one that follows the rules, and as many that send as there may be requests at the same time. They share
//! nothing but messages, beside the [`Account`].

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    account::Account,
    attempt::{Outcome, Receiver},
    event::RoomEvent,
    queue::{Attempt, Next, Queue, QueueRules, Settled},
    report::{self, Reporter},
    signature::SigningKeys,
};
use crate::{
    late::LateGuard,
    telemetry::{self, Event, WebhookDrop, WebhookOutcome},
};

/// The longest sleep: the figures are reported this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the secret's file is looked at, as those of the join tokens' keys are.
const READ_EVERY: Duration = Duration::from_secs(2);
/// A look this late has seen a stopped process: nothing has grown old meanwhile.
const LATE: Duration = Duration::from_secs(2);

/// What the dispatcher is told.
#[derive(Debug)]
pub(super) enum ToDispatcher {
    /// By the supervisor. It is in the account.
    Event(RoomEvent),
    /// By a thread that sends: its attempt is over.
    Done { sender: usize, attempt: Box<Attempt>, outcome: Outcome },
    /// By the shutdown: no more events come. Deliver what waits until then, drop the rest, and answer with the number of all that were
    /// dropped since the start.
    Finish { until: Instant, answer: oneshot::Sender<u64> },
}

/// What a thread that sends is told.
type Job = (Box<Attempt>, Arc<SigningKeys>);

/// What the dispatcher begins with.
pub(super) struct Start {
    pub(super) rules: QueueRules,
    pub(super) receiver: Receiver,
    pub(super) keys: SigningKeys,
    pub(super) secret_file: PathBuf,
}

/// Starts the threads. They end with [`ToDispatcher::Finish`], or with the process.
pub(super) fn start(start: Start) -> io::Result<mpsc::Sender<ToDispatcher>> {
    let (tell, told) = mpsc::channel();
    let senders = (0..start.rules.parallel)
        .map(|index| {
            let (give, jobs) = mpsc::channel::<Job>();
            let (receiver, tell) = (start.receiver.clone(), tell.clone());
            let name = format!("webhook-{index}");
            thread::Builder::new().name(name).spawn(move || send(index, &receiver, &jobs, &tell))?;
            Ok(give)
        })
        .collect::<io::Result<Vec<_>>>()?;
    let account = start.receiver.account.clone();
    let dispatcher = Dispatcher {
        queue: Queue::new(start.rules),
        idle: (0..senders.len()).collect(),
        senders,
        reporter: Reporter::new(account.clone()),
        account,
        keys: Arc::new(start.keys),
        secret_file: start.secret_file,
        secret_failed: None,
        guard: LateGuard::new(Instant::now(), LATE),
        stopped: Duration::ZERO,
        finish: None,
    };
    thread::Builder::new().name("webhooks".into()).spawn(move || dispatcher.run(&told))?;
    Ok(tell)
}

fn send(index: usize, receiver: &Receiver, jobs: &mpsc::Receiver<Job>, tell: &mpsc::Sender<ToDispatcher>) {
    for (attempt, keys) in jobs {
        // A defect in one request must not hold up its room for ever. The panic's own line and count are told by the hook.
        let outcome = catch_unwind(AssertUnwindSafe(|| receiver.post(&attempt.event, &keys)));
        let outcome =
            outcome.unwrap_or_else(|_| Outcome::failed(WebhookOutcome::Malformed, "the request panicked".to_owned()));
        if tell.send(ToDispatcher::Done { sender: index, attempt, outcome }).is_err() {
            return;
        }
    }
}

struct Dispatcher {
    queue: Queue,
    senders: Vec<mpsc::Sender<Job>>,
    /// Those that have nothing to do.
    idle: Vec<usize>,
    reporter: Reporter,
    account: Account,
    keys: Arc<SigningKeys>,
    secret_file: PathBuf,
    /// What was last told of it.
    secret_failed: Option<String>,
    guard: LateGuard,
    /// For how long the process was stopped, in all.
    stopped: Duration,
    finish: Option<(Instant, oneshot::Sender<u64>)>,
}

impl Dispatcher {
    fn run(mut self, told: &mpsc::Receiver<ToDispatcher>) {
        let (mut reported, mut read) = (Instant::now(), Instant::now());
        loop {
            let before = Instant::now();
            let wait = self.wait(before);
            let message = match told.recv_timeout(wait) {
                Ok(message) => Some(message),
                Err(mpsc::RecvTimeoutError::Timeout) => None,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            };
            let now = Instant::now();
            self.attend(message, now, wait);
            if now >= read + READ_EVERY {
                self.read_again();
                read = now;
            }
            if now >= reported + LOOK_EVERY {
                self.reporter.figures();
                reported = now;
            }
            if self.is_over(now) {
                return self.end();
            }
        }
    }

    /// What was waited for, planned for `wait` after the look before. How late it is comes first: by the queue's time of before a stop
    /// that is not taken off yet, all that waits would have grown old in it.
    fn attend(&mut self, message: Option<ToDispatcher>, now: Instant, wait: Duration) {
        let late = self.guard.look(now, wait);
        if late.is_late {
            self.stopped += late.behind;
        }
        if let Some(message) = message {
            self.handle(message, now);
        }
        self.give_out(now);
    }

    /// The queue's time: the process's, without what it was stopped for.
    fn time(&self, now: Instant) -> Instant {
        now.checked_sub(self.stopped).unwrap_or(now)
    }

    fn wait(&self, now: Instant) -> Duration {
        let due = self.queue.wakes().map(|due| due.saturating_duration_since(self.time(now)));
        let end = self.finish.as_ref().map(|(until, _)| until.saturating_duration_since(now));
        due.unwrap_or(LOOK_EVERY).min(end.unwrap_or(LOOK_EVERY)).min(LOOK_EVERY)
    }

    fn handle(&mut self, message: ToDispatcher, now: Instant) {
        let time = self.time(now);
        match message {
            ToDispatcher::Event(event) => {
                // It waits from now on: what lay between was a stop of the process, or is nothing.
                if let Some(event) = self.queue.push(RoomEvent { since: time, ..event }, time) {
                    self.drop_event(&event, WebhookDrop::RoomShare);
                }
            }
            ToDispatcher::Done { sender, attempt, outcome } => {
                self.idle.push(sender);
                match self.queue.settle(*attempt, outcome.verdict, time, random()) {
                    Settled::Delivered(event) => self.account.settle(event.bytes()),
                    Settled::Dropped(event, why) => self.drop_event(&event, why),
                    Settled::Waits => {}
                }
                self.reporter.attempted(&outcome, now);
            }
            ToDispatcher::Finish { until, answer } => {
                self.queue.hurry(time);
                self.finish = Some((until, answer));
            }
        }
    }

    fn drop_event(&self, event: &RoomEvent, why: WebhookDrop) {
        self.account.settle(event.bytes());
        report::dropped(&self.account, why, 1);
    }

    fn give_out(&mut self, now: Instant) {
        while let Some(next) = self.queue.next(self.time(now)) {
            match next {
                Next::Drop(event) => self.drop_event(&event, WebhookDrop::Expired),
                Next::Send(attempt) => {
                    // There are as many threads as there may be attempts.
                    let Some(sender) = self.idle.pop() else { return };
                    let _ = self.senders[sender].send((Box::new(attempt), Arc::clone(&self.keys)));
                }
            }
        }
    }

    /// A file that is not whole is told of once, and the secrets that were read before stay in force.
    fn read_again(&mut self) {
        match SigningKeys::read(&self.secret_file) {
            Ok(keys) => {
                self.secret_failed = None;
                if keys != *self.keys {
                    self.keys = Arc::new(keys);
                    telemetry::emit(&Event::ConfigReloaded {
                        changed: "the file of webhooks.secret_file",
                        restart: "",
                    });
                }
            }
            Err(error) => {
                let text = error.to_string();
                if self.secret_failed.as_ref() != Some(&text) {
                    telemetry::emit(&Event::ConfigNotReloaded { error: &error });
                    self.secret_failed = Some(text);
                }
            }
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.finish.as_ref().is_some_and(|(until, _)| now >= *until || self.queue.is_idle())
    }

    /// What still waits is dropped.
    fn end(mut self) {
        let (events, _) = self.account.waiting();
        report::dropped(&self.account, WebhookDrop::Shutdown, events as u64);
        self.reporter.figures();
        if let Some((_, answer)) = self.finish.take() {
            // Whoever asked may wait no longer.
            let _ = answer.send(self.account.dropped());
        }
    }
}

/// Of 0 to 1.
fn random() -> f64 {
    // Without random numbers everything waits the whole time.
    getrandom::u32().map_or(1.0, |number| f64::from(number) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::{account::Bounds, event::tests::sample, queue::Verdict};

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const RULES: QueueRules = QueueRules {
        parallel: 1,
        room_events: 10,
        retry_min: SECOND,
        retry_max: Duration::from_secs(60),
        keep: Duration::from_secs(600),
    };

    /// One that began at `start`, with the test in the place of its only sender.
    fn dispatcher(start: Instant, home: &std::path::Path) -> (Dispatcher, mpsc::Receiver<Job>) {
        let secret_file = home.join("secret");
        std::fs::write(&secret_file, "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz").expect("written");
        let account = Account::default();
        let (give, jobs) = mpsc::channel();
        let dispatcher = Dispatcher {
            queue: Queue::new(RULES),
            senders: vec![give],
            idle: vec![0],
            reporter: Reporter::new(account.clone()),
            account,
            keys: Arc::new(SigningKeys::read(&secret_file).expect("a secret")),
            secret_file,
            secret_failed: None,
            guard: LateGuard::new(start, LATE),
            stopped: Duration::ZERO,
            finish: None,
        };
        (dispatcher, jobs)
    }

    fn happened(dispatcher: &Dispatcher, sequence: u64, since: Instant) -> ToDispatcher {
        let event = sample("a", sequence, since);
        assert!(dispatcher.account.admit(event.bytes(), Bounds { events: 10, bytes: 10_000 }));
        ToDispatcher::Event(event)
    }

    #[test]
    fn an_hour_in_which_the_process_was_stopped_makes_no_event_old_and_holds_up_none() {
        let (start, home) = (Instant::now(), tempfile::tempdir().expect("a folder"));
        let (mut dispatcher, jobs) = dispatcher(start, home.path());
        let event = happened(&dispatcher, 1, start);
        dispatcher.attend(Some(event), start, LOOK_EVERY);
        let (attempt, _) = jobs.try_recv().expect("it is sent at once");

        // It was stopped while the attempt was on its way; the first look after that brings the answer.
        let now = start + HOUR;
        let outcome =
            Outcome { verdict: Verdict::Later(None), ..Outcome::failed(WebhookOutcome::Timeout, String::new()) };
        dispatcher.attend(Some(ToDispatcher::Done { sender: 0, attempt, outcome }), now, LOOK_EVERY);
        assert_eq!((dispatcher.account.waiting().0, dispatcher.account.dropped()), (1, 0), "it is not too old");
        assert!(dispatcher.wait(now) <= RULES.retry_min, "{:?}", dispatcher.wait(now));
        dispatcher.attend(None, now + RULES.retry_min, RULES.retry_min);
        let (attempt, _) = jobs.try_recv().expect("it is tried again after the usual wait");

        // Stopped again, after something had happened; and this look brings that.
        let then = now + 2 * SECOND;
        let event = happened(&dispatcher, 2, then);
        dispatcher.attend(Some(event), then + HOUR, LOOK_EVERY);
        let outcome =
            Outcome { verdict: Verdict::Delivered, ..Outcome::failed(WebhookOutcome::Delivered, String::new()) };
        dispatcher.attend(Some(ToDispatcher::Done { sender: 0, attempt, outcome }), then + HOUR, LOOK_EVERY);
        let (attempt, _) = jobs.try_recv().expect("the next one of the room follows at once");
        assert_eq!((attempt.event.sequence, dispatcher.account.dropped()), (2, 0));
    }
}
