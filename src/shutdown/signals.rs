//! What each signal means. None of those that can be caught ends the server without a word; docs/operations.md has the
//! table.

use std::{io, time::Duration};

use actix_rt::signal::unix::{self, SignalKind};

use crate::{
    lifecycle::{Call, Lifecycle},
    telemetry::{self, Event},
};

/// How `drain_started` names the signal of a person at the keyboard.
pub(super) const INTERRUPT: &str = "SIGINT";
/// A signal that comes again and again is told of this often.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long the last line may take to be written.
const LAST_LINE: Duration = Duration::from_millis(300);

/// Those that would end the process and mean nothing here. Left to the system are those that cannot be caught (`SIGKILL`,
/// `SIGSTOP`), those by which the processor and the kernel report a fault of the process (`SIGSEGV`, `SIGBUS`, `SIGILL`,
/// `SIGFPE`, `SIGSYS`: to go on after one is to go on wrongly), and those whose default ends nothing. `SIGPIPE` is ignored
/// since before `main`: a write says that nobody reads.
const MEANINGLESS: [(libc::c_int, &str); 9] = [
    (libc::SIGUSR1, "SIGUSR1"),
    (libc::SIGUSR2, "SIGUSR2"),
    (libc::SIGALRM, "SIGALRM"),
    (libc::SIGVTALRM, "SIGVTALRM"),
    (libc::SIGPROF, "SIGPROF"),
    (libc::SIGIO, "SIGIO"),
    (libc::SIGTRAP, "SIGTRAP"),
    // What the limit stops (a log's file that grows beyond `ulimit -f`) fails by itself, and is told of.
    (libc::SIGXFSZ, "SIGXFSZ"),
    // Comes every second beyond `ulimit -t`, until the hard limit kills.
    (libc::SIGXCPU, "SIGXCPU"),
];

/// The signals that ask a server to go.
pub struct Signals {
    terminate: unix::Signal,
    quit: unix::Signal,
    interrupt: unix::Signal,
}

/// All others that are listened to.
pub struct Others {
    hangup: unix::Signal,
    abort: unix::Signal,
    meaningless: Vec<(String, unix::Signal)>,
}

/// Listens to all of them. Before anything else is started, so that none is missed.
///
/// # Errors
/// The system gives no signal handling.
pub fn listen() -> io::Result<(Signals, Others)> {
    let on = unix::signal;
    let signals = Signals {
        terminate: on(SignalKind::terminate())?,
        quit: on(SignalKind::quit())?,
        interrupt: on(SignalKind::interrupt())?,
    };
    let named = MEANINGLESS.into_iter().map(|(number, name)| (number, name.to_owned())).chain(of_this_system());
    let meaningless = named.map(|(number, name)| Ok((name, on(SignalKind::from_raw(number))?)));
    let others = Others {
        hangup: on(SignalKind::hangup())?,
        abort: on(SignalKind::from_raw(libc::SIGABRT))?,
        meaningless: meaningless.collect::<io::Result<_>>()?,
    };
    Ok((signals, others))
}

/// Meaningless ones that not every Unix has. By the real-time signals containers of other kinds are told to stop.
#[cfg(target_os = "linux")]
fn of_this_system() -> impl Iterator<Item = (libc::c_int, String)> {
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    let real_time = real_time.map(|number| (number, format!("SIGRTMIN+{}", number - libc::SIGRTMIN())));
    [(libc::SIGPWR, "SIGPWR".to_owned()), (libc::SIGSTKFLT, "SIGSTKFLT".to_owned())].into_iter().chain(real_time)
}

#[cfg(not(target_os = "linux"))]
fn of_this_system() -> impl Iterator<Item = (libc::c_int, String)> {
    std::iter::empty()
}

impl Signals {
    /// Waits until somebody asks the server to go: a signal, or the operator at the gate.
    pub async fn or_call(&mut self, lifecycle: &Lifecycle) -> Call {
        let by = tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.quit.recv() => "SIGQUIT",
            _ = self.interrupt.recv() => INTERRUPT,
            call = lifecycle.drain_called() => return call,
        };
        lifecycle.call_drain(by, None).1
    }

    /// Waits for any of them.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.quit.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Ctrl-C, when the server is going already: whoever sits there does not want to wait. The others have said already
    /// what they say.
    pub(super) async fn hurry(&mut self) {
        loop {
            let again = tokio::select! {
                _ = self.interrupt.recv() => return,
                _ = self.terminate.recv() => "SIGTERM",
                _ = self.quit.recv() => "SIGQUIT",
            };
            telemetry::emit(&Event::SignalIgnored { signal: again, why: "the server is on its way out already" });
        }
    }
}

impl Others {
    /// Attends to them for as long as the process lives; `reload` is called for each `SIGHUP`.
    pub fn attend(self, mut reload: impl FnMut() + 'static) {
        let Self { mut hangup, abort, meaningless } = self;
        actix_rt::spawn(async move {
            while hangup.recv().await.is_some() {
                reload();
            }
        });
        actix_rt::spawn(end_aborted(abort));
        for (name, signal) in meaningless {
            actix_rt::spawn(ignore(name, signal));
        }
    }
}

async fn ignore(name: String, mut signal: unix::Signal) {
    while signal.recv().await.is_some() {
        telemetry::emit(&Event::SignalIgnored { signal: &name, why: "it means nothing to this server" });
        // What comes meanwhile is one more signal then.
        tokio::time::sleep(TOLD_EVERY).await;
    }
}

/// Whoever sends this one wants the process to end at once, and its memory kept where that is configured: so it does,
/// after a line. One that the process raises itself never comes here: the first thing it does is to end it.
async fn end_aborted(mut abort: unix::Signal) {
    if abort.recv().await.is_some() {
        telemetry::emit(&Event::Aborted { signal: "SIGABRT" });
        telemetry::flush_logs(LAST_LINE);
        std::process::abort();
    }
}
