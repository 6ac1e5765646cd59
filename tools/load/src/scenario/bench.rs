//! What all scenarios share: the engine, the measured processes, the report under way.

use std::io;

use super::{Closing, Opening};
use crate::{
    cli::Common,
    measure::process::{Process, Sample},
    report::Report,
    swarm::{Engine, SECOND, Script, Secure, Setup, Stop},
};

/// Seconds that messages under way may take once a scenario stops sending.
const DRAIN: f64 = 3.0;
/// Seconds that closing all sockets may take.
const CLOSE: f64 = 15.0;

/// A point in time: what had been used and delivered by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    time: u64,
    server: Option<Sample>,
    own: Sample,
    delivered: u64,
}

/// One run of one scenario.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) report: Report,
    pub(crate) server: Option<Process>,
    common: Common,
    base: Mark,
}

impl Bench {
    /// Sets up `peers` peers in rooms of `room_size`, none of them open. Reads the server's memory as the base.
    pub(crate) fn new(common: &Common, scenario: &str, peers: u32, room_size: u32) -> io::Result<Self> {
        let setup = Setup {
            target: common.target,
            protocol: common.protocol,
            secure: common.tls.as_deref().map(Secure::new).transpose()?,
            peers,
            room_size,
            sources: common.sources,
            payload: common.payload,
            beat: (common.heartbeat * SECOND as f64) as u64,
        };
        let protocol = format!("{:?}", common.protocol).to_lowercase();
        let report = Report::new(scenario, &protocol)
            .parameter("peers", peers)
            .parameter("room size", room_size)
            .parameter("payload", common.payload as f64)
            .parameter("tls", f64::from(u8::from(common.tls.is_some())));
        let engine = Engine::new(setup, common.spin)?;
        let server = common.pid.map(Process::new);
        let base = Mark::take(&engine, server)?;
        Ok(Self { engine, report, server, common: common.clone(), base })
    }

    /// Notes what the run was asked to do.
    pub(crate) fn parameter(&mut self, name: &str, value: impl Into<f64>) {
        self.report.parameters.insert(name.into(), value.into());
    }

    /// Opens all peers, as fast as `--concurrency` allows.
    pub(crate) fn open_all(&mut self) -> io::Result<()> {
        let all = self.engine.swarm.len();
        let mut opening = Opening::new(all, self.common.concurrency, None);
        self.engine.run(&mut opening, self.common.opening)?;
        if self.engine.swarm.tally.joined == 0 && all > 0 {
            let troubles = self.engine.swarm.tally.troubles.join("; ");
            return Err(io::Error::other(format!("no peer could join {}: {troubles}", self.common.target)));
        }
        Ok(())
    }

    /// Closes all peers and waits until their sockets are gone.
    pub(crate) fn close_all(&mut self) -> io::Result<()> {
        let mut closing = Closing::default();
        self.engine.run(&mut closing, CLOSE)?;
        Ok(())
    }

    /// Runs a script for some seconds.
    pub(crate) fn run(&mut self, script: &mut dyn Script, seconds: f64) -> io::Result<Stop> {
        self.engine.run(script, seconds)
    }

    /// Runs a script that has been told to stop, until nothing is under way.
    pub(crate) fn drain(&mut self, script: &mut dyn Script) -> io::Result<()> {
        self.engine.run(script, DRAIN)?;
        Ok(())
    }

    /// Now.
    pub(crate) fn mark(&self) -> io::Result<Mark> {
        Mark::take(&self.engine, self.server)
    }

    /// The time before anything was opened.
    pub(crate) fn base(&self) -> Mark {
        self.base
    }

    /// Reports the server's CPU between two marks, and the generator's beside it, divided by `count`.
    pub(crate) fn cpu(&mut self, per: &str, from: &Mark, to: &Mark, count: f64) {
        if let (Some(before), Some(after)) = (from.server, to.server) {
            let cpu = after.cpu_us_since(&before);
            self.report.figure(&format!("cpu_per_{per}"), cpu / count, "µs");
            self.report.figure("server_load", cpu / 1e6 / to.seconds_since(from), "cores");
        }
        let own = to.own.cpu_us_since(&from.own);
        self.report.figure(&format!("generator_cpu_per_{per}"), own / count, "µs");
    }

    /// Reports the growth of the server's memory since the base.
    pub(crate) fn memory(&mut self, to: &Mark, connections: f64) {
        if let (Some(before), Some(after)) = (self.base.server, to.server) {
            self.report.figure("memory_per_connection", after.growth_since(&before) / connections, "B");
            self.report.figure("server_resident", after.resident as f64 / f64::from(1 << 20), "MiB");
        }
    }

    /// Closes the books of a scenario in which nothing may go wrong.
    pub(crate) fn finish_flawless(mut self) -> Report {
        let (failed, errors) = (self.engine.swarm.tally.failed, self.engine.swarm.tally.errors());
        self.report.check("every peer joined", failed as f64, failed == 0);
        self.report.check("every signal arrived, no refusal, no cut", errors as f64, errors == 0);
        self.finish()
    }

    /// Closes the books.
    pub(crate) fn finish(mut self) -> Report {
        let tally = &self.engine.swarm.tally;
        self.report.figure("joined", tally.joined as f64, "peers");
        self.report.figure("error_rate", tally.error_rate() * 100.0, "%");
        self.report.figure("lost", tally.lost() as f64, "messages");
        self.report.tally(tally);
        self.report
    }
}

impl Mark {
    fn take(engine: &Engine, server: Option<Process>) -> io::Result<Self> {
        Ok(Self {
            time: engine.swarm.clock.now(),
            server: server.map(|s| s.sample()).transpose()?,
            own: Process::own().sample()?,
            delivered: engine.swarm.tally.delivered,
        })
    }

    /// Seconds from `earlier` to here.
    pub(crate) fn seconds_since(&self, earlier: &Self) -> f64 {
        (self.time - earlier.time) as f64 / SECOND as f64
    }

    /// Deliveries from `earlier` to here.
    pub(crate) fn delivered_since(&self, earlier: &Self) -> f64 {
        (self.delivered - earlier.delivered) as f64
    }
}
