//! Running: a fresh server for each trial, the generator beside it, both pinned.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Args, Contestant, Results, Trial, trial::Runners};
use crate::{measure::machine::Machine, report::Report};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);
/// How often that is tried.
const RETRY: Duration = Duration::from_millis(50);
/// How long a server gets to clear up after the warm-up's peers, whose end is not to be in the figures.
const SETTLE: Duration = Duration::from_secs(1);
/// No trial takes as long; what does is stuck.
const LONGEST: Duration = Duration::from_secs(300);

/// Runs trials and collects values.
#[derive(Debug)]
pub(super) struct Runner<'a> {
    args: &'a Args,
    logs: PathBuf,
    port: u16,
    results: Results,
}

/// A server that dies with this value.
struct Running(Child);

impl Running {
    /// Waits until the server accepts connections; not when it has ended.
    fn listens(&mut self, address: SocketAddr) -> bool {
        let started = Instant::now();
        while started.elapsed() < START && !matches!(self.0.try_wait(), Ok(Some(_))) {
            if TcpStream::connect_timeout(&address, RETRY).is_ok() {
                return true;
            }
            thread::sleep(RETRY);
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have died already; its log says why.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl<'a> Runner<'a> {
    pub(super) fn new(args: &'a Args) -> io::Result<Self> {
        let logs = args.places.cache.join("logs");
        fs::create_dir_all(&logs)?;
        let results = Results {
            machine: Machine::here(),
            versions: versions(&args.places.peers),
            repeats: args.repeats,
            quick: args.quick,
            values: BTreeMap::new(),
            failures: Vec::new(),
        };
        Ok(Self { args, logs, port: args.port, results })
    }

    /// Runs all rounds. The results are written to `file` after each trial: one that is broken off can still be rendered.
    pub(super) fn run(mut self, trials: &[Trial], file: &Path) -> io::Result<Results> {
        let mut contestants = Contestant::ALL.to_vec();
        contestants.retain(|c| self.args.servers.is_empty() || self.args.servers.contains(c));
        if self.args.baseline {
            contestants = vec![Contestant::Baseline, Contestant::Switchboard];
        }
        for round in 1..=self.args.repeats {
            for trial in trials {
                // Alone with the baseline, a quarter of an hour is to be enough: the steps of growth are shown once.
                if self.args.baseline && round > 1 && trial.runners == Runners::OursAndBaseline {
                    continue;
                }
                for contestant in contestants.iter().filter(|c| trial.runners.include(**c)) {
                    eprintln!("round {round} of {}: {}, {}", self.args.repeats, trial.name, contestant.title());
                    self.measure(trial, *contestant)?;
                    self.results.write(file)?;
                }
            }
        }
        Ok(self.results)
    }

    /// Runs one trial against one server and keeps its values, unless something was wrong with them.
    fn measure(&mut self, trial: &Trial, contestant: Contestant) -> io::Result<()> {
        self.port += 2;
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let file = |end: &str| self.logs.join(format!("{}-{}.{end}", contestant.slug(), trial.name));
        let log = File::create(file("log"))?;
        let mut command = contestant.command(&self.args.places, self.port, self.args.server_core)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut server = Running(command.spawn()?);
        if !server.listens(address) {
            let said = fs::read_to_string(file("log")).unwrap_or_default();
            self.fail(
                trial,
                contestant,
                &format!("does not listen; {}", said.lines().last().unwrap_or("it says nothing")),
            );
            return Ok(());
        }
        let pid = server.0.id();
        if let Some(warm) = &trial.warm {
            // What goes wrong here goes wrong again in the trial proper.
            self.generate(warm, contestant, address, pid, &file("warm.json"), false)?;
            thread::sleep(SETTLE);
        }
        let json = file("json");
        let passed = self.generate(&trial.scenario, contestant, address, pid, &json, trial.collects)?;
        match Report::read_json(&json) {
            Ok(report) if passed => self.keep(trial, contestant, &report),
            Ok(report) => self.fail(trial, contestant, &broken(&report)),
            Err(_) => self.fail(trial, contestant, "the generator gave up"),
        }
        Ok(())
    }

    /// Runs the generator; whether it kept its thresholds.
    fn generate(
        &self,
        words: &[String],
        contestant: Contestant,
        target: SocketAddr,
        pid: u32,
        json: &Path,
        collects: bool,
    ) -> io::Result<bool> {
        // What an earlier comparison left must not be taken for this one's.
        if json.exists() {
            fs::remove_file(json)?;
        }
        let mut command = Command::new("taskset");
        command.args(["-c", &self.args.generator_core.to_string()]).arg(std::env::current_exe()?).args(words);
        command.arg(format!("--target={target}")).arg(format!("--pid={pid}"));
        command.arg(format!("--protocol={:?}", contestant.protocol()).to_lowercase()).arg("--json").arg(json);
        if collects && contestant.collects() {
            command.arg("--collect");
        }
        let mut child = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let started = Instant::now();
        while started.elapsed() < LONGEST {
            if let Some(status) = child.0.try_wait()? {
                return Ok(status.success());
            }
            thread::sleep(RETRY);
        }
        Ok(false)
    }

    fn keep(&mut self, trial: &Trial, contestant: Contestant, report: &Report) {
        for measure in &trial.measures {
            if let Some(value) = measure.read(report) {
                self.results.add(measure.name, contestant, value);
            }
        }
    }

    fn fail(&mut self, trial: &Trial, contestant: Contestant, why: &str) {
        let failure = format!("{}, {}: {why}", contestant.title(), trial.name);
        eprintln!("failed: {failure}");
        self.results.failures.push(failure);
    }
}

/// The thresholds that a report says were not kept.
fn broken(report: &Report) -> String {
    let broken = report.checks.iter().filter(|c| !c.kept);
    broken.map(|c| format!("not kept: {} ({})", c.what, c.value)).collect::<Vec<_>>().join("; ")
}

/// The versions of all programs; what cannot be told is left out.
fn versions(peers: &Path) -> Vec<(String, String)> {
    let mut versions = vec![("Switchboard".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    if let Ok(matchbox) = fs::read_to_string(peers.join("matchbox_version")) {
        versions.push(("matchbox_server".into(), matchbox.trim().into()));
    }
    if let Ok(node) = Command::new("node").arg("--version").output() {
        versions.push(("Node.js".into(), String::from_utf8_lossy(&node.stdout).trim().into()));
    }
    let package = fs::read(peers.join("package.json")).ok().and_then(|t| serde_json::from_slice(&t).ok());
    let package: serde_json::Value = package.unwrap_or_default();
    for (name, version) in package["dependencies"].as_object().into_iter().flatten() {
        versions.push((name.clone(), version.as_str().unwrap_or_default().into()));
    }
    versions
}
