//! The watch over the server's own threads: a server that hangs must not go on as if it lived.
//!
//! One plain thread, which nothing in the server can stop, asks every arbiter and the supervisor to answer
//! ([`crate::liveness`] has the rules). One that stays silent is told of by `/healthz`, and then ends the process with
//! [`EXIT_CODE`], for whoever runs it to start it anew: half a server, whose sockets are open and whose joins are never
//! answered, is worse than none.

use std::{
    future::Future,
    io, process, thread,
    time::{Duration, Instant},
};

use actix_rt::{Arbiter, ArbiterHandle};

use crate::{
    config::Settings,
    liveness::{Found, Liveness, Part, Subject, Watch},
    telemetry::{self, Event},
};

/// What a wedged process ends with: `EX_SOFTWARE` of sysexits.h. 1 is a server that did not start.
pub const EXIT_CODE: u16 = 70;
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

impl From<&Settings> for Timeouts {
    fn from(settings: &Settings) -> Self {
        Self { silent: settings.watchdog.silent_ms.get(), exit: settings.watchdog.exit_ms.get() }
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

/// Starts the watch, on a thread of its own.
///
/// # Errors
/// The thread could not be started.
pub fn start(timeouts: Timeouts, subjects: Vec<Subject>, liveness: Liveness) -> io::Result<()> {
    let watch = Watch::new(subjects, timeouts.silent, liveness.clone(), Instant::now());
    thread::Builder::new().name("watchdog".into()).spawn(move || run(watch, timeouts.exit, &liveness)).map(drop)
}

fn run(mut watch: Watch, exit: Duration, liveness: &Liveness) {
    let mut before = Found::default();
    while !liveness.is_dismissed() {
        let found = watch.round(Instant::now());
        report_change(before, found);
        if let Some((part, silent)) = found.worst
            && silent >= exit
            && !liveness.is_dismissed()
        {
            end(part, silent);
        }
        before = found;
        thread::sleep(watch.pause());
    }
}

fn report_change(before: Found, found: Found) {
    let (to, worst) = match (before.silent, found.silent) {
        (0, 1..) => ("dead", found.worst),
        (1.., 0) => ("alive", before.worst),
        _ => return,
    };
    let Some((part, silent)) = worst else { return };
    telemetry::emit(&Event::LivenessChanged { to, subject: &part.to_string(), silent });
}

/// Nothing is drained and nobody is told: whoever could do so is who does not answer.
fn end(part: Part, silent: Duration) -> ! {
    telemetry::emit(&Event::Wedged { subject: &part.to_string(), silent, exit_code: EXIT_CODE });
    telemetry::flush_logs(LAST_LINE);
    process::exit(EXIT_CODE.into())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
