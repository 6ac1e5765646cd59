//! The responder's thread: reads, asks the rules, answers.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    excess::Excess,
    gate::Gate,
    message::{self, LONGEST_REQUEST},
    socket::{Datagram, Socket},
    sources::Sources,
};
use crate::{
    config::Settings,
    ice::IceServers,
    limits::{Rate, Subnet},
    telemetry::{self, Counts, Event, LimitHit, StunOutcome},
};

/// How long it waits for a datagram before it looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(250);
/// How often its counts go to the metrics, and as often the limits' table is swept.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How often a process without metrics says what it has counted, if there is something to say.
const TELL_EVERY: Duration = Duration::from_secs(600);
/// After an error of the socket's, so that one that stays fills no log.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Where the counts go.
#[derive(Debug, Clone)]
pub enum Telling {
    /// To the metrics of the server that it is a part of, and that tells clients of it by these.
    Metrics(IceServers),
    /// Into the log: a process of its own has no metrics.
    Log,
}

/// A responder that listens and does not answer yet.
#[derive(Debug)]
pub struct Responder {
    socket: Socket,
    gate: Gate,
    sources: Sources,
    public_host: String,
    telling: Telling,
    /// Since they were last told of.
    counts: Counts<StunOutcome>,
    /// What came beyond `stun.total_rate`.
    excess: Excess,
}

impl Responder {
    /// Opens the socket of `stun.host` and `stun.port`.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(settings: &Settings, telling: Telling) -> io::Result<Self> {
        let stun = &settings.stun;
        let mut addresses = (stun.host.as_str(), stun.port).to_socket_addrs()?;
        let address = addresses.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let each = Rate::per_second(stun.rate, stun.burst);
        // A second's worth at once: enough for everybody who comes back after a restart.
        let total = Rate::per_second(stun.total_rate, stun.total_rate);
        let servers = match &telling {
            Telling::Metrics(servers) => Some(servers),
            Telling::Log => None,
        };
        Ok(Self {
            socket: Socket::bind(address, PATIENCE)?,
            gate: Gate::new(each, total, settings.limits.addresses, Instant::now()),
            sources: Sources::new(&stun.public_host, servers),
            public_host: stun.public_host.clone(),
            telling,
            counts: Counts::new(),
            excess: Excess::default(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.address()
    }

    /// Answers on a thread of its own, for as long as the process lives.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(self) -> io::Result<()> {
        static NEVER: AtomicBool = AtomicBool::new(false);
        thread::Builder::new().name("stun".into()).spawn(move || self.run(&NEVER)).map(|_| ())
    }

    /// Answers until it is told to stop.
    pub fn run(mut self, stop: &AtomicBool) {
        if let Ok(address) = self.address() {
            telemetry::emit(&Event::StunStarted { address });
        }
        let mut buffer = [0; LONGEST_REQUEST];
        let (mut reported, mut told) = (Instant::now(), Instant::now());
        while !stop.load(Ordering::Relaxed) {
            self.attend(&mut buffer);
            let now = Instant::now();
            if now.saturating_duration_since(reported) >= REPORT_EVERY {
                reported = now;
                self.gate.sweep(now);
                self.report(now);
            }
            if now.saturating_duration_since(told) >= TELL_EVERY {
                told = now;
                self.tell();
            }
        }
        self.tell();
    }

    /// Waits for one datagram and does with it what is to be done.
    fn attend(&mut self, buffer: &mut [u8]) {
        match self.socket.receive(buffer) {
            Ok(datagram) => {
                let outcome = self.respond(buffer, &datagram);
                self.counts.add(outcome);
                if outcome == StunOutcome::TotalLimit {
                    self.excess.add();
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                let context = telemetry::Context::default();
                telemetry::emit(&Event::ServerFault { context, doing: "reading STUN requests", error: &error });
                telemetry::flush();
                thread::sleep(AFTER_ERROR);
            }
        }
    }

    fn respond(&mut self, buffer: &[u8], datagram: &Datagram) -> StunOutcome {
        let Some(request) = datagram.length.and_then(|length| buffer.get(..length)) else {
            return StunOutcome::Malformed;
        };
        // What is no request costs nobody's share of the answers: its source may be anybody's.
        let answer = match message::answer(request, datagram.source) {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let source = datagram.source.ip().to_canonical();
        if let Err(outcome) = self.gate.pass(Subnet::of(source), Instant::now()) {
            return outcome;
        }
        if self.sources.only_private(source) {
            telemetry::emit(&Event::StunOnlyPrivate { remote: datagram.source, public_host: &self.public_host });
        }
        match self.socket.answer(answer.bytes(), datagram) {
            Ok(()) => answer.outcome,
            Err(_) => StunOutcome::NotSent,
        }
    }

    fn report(&mut self, now: Instant) {
        let (was_hit, tell) = self.excess.report(now);
        if let Some(refused) = tell {
            telemetry::emit(&Event::StunTotalLimit { refused });
        }
        if matches!(self.telling, Telling::Metrics(_)) && self.counts.total() > 0 {
            let counts = std::mem::take(&mut self.counts);
            telemetry::tally(|t| {
                t.stun_requests.merge(&counts);
                t.limit_hits.add_n(LimitHit::StunTotal, u64::from(was_hit));
            });
            telemetry::flush();
        }
    }

    fn tell(&mut self) {
        let all = self.counts.total();
        if matches!(self.telling, Telling::Log) && all > 0 {
            let answered = self.counts.get(StunOutcome::Answered) + self.counts.get(StunOutcome::Unsupported);
            telemetry::emit(&Event::StunCounted { answered, refused: all - answered });
            self.counts = Counts::new();
        }
    }
}
