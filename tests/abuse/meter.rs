//! What a server's process holds, looked at again and again.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::cgroup::Cgroup;

const LOOK_EVERY: Duration = Duration::from_millis(10);
const MIB: u64 = 1 << 20;

/// Bytes at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) resident: u64,
    /// The kernel's, for TCP. Outside a cgroup it is that of the whole machine, and so of both ends.
    pub(crate) tcp: u64,
}

impl Held {
    pub(crate) fn all(&self) -> u64 {
        self.resident + self.tcp
    }

    pub(crate) fn all_mib(&self) -> u64 {
        self.all() / MIB
    }
}

/// Where to look.
#[derive(Clone)]
pub(crate) struct Scale {
    pub(crate) pid: u32,
    pub(crate) cgroup: Option<Arc<Cgroup>>,
}

impl Scale {
    pub(crate) fn look(&self) -> Held {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0);
        let tcp = self.cgroup.as_ref().map_or_else(machine_tcp_bytes, |cgroup| cgroup.tcp_bytes());
        Held { resident: kib << 10, tcp }
    }
}

fn machine_tcp_bytes() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"));
    let pages: u64 = line.and_then(|line| line.split_once(" mem ")?.1.trim().parse().ok()).unwrap_or(0);
    pages * 4096
}

/// Says that it is over when it goes, as when its flood breaks off.
pub(crate) struct Over(pub(crate) Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks until it is asked what it saw.
pub(crate) struct Meter {
    over: Over,
    thread: JoinHandle<Held>,
}

impl Meter {
    pub(crate) fn start(scale: Scale) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut most = scale.look();
            while !until.load(Ordering::Relaxed) {
                // Between two samples; it ends when it is told to.
                thread::sleep(LOOK_EVERY);
                let now = scale.look();
                if now.all() > most.all() {
                    most = now;
                }
            }
            most
        });
        Self { over: Over(over), thread }
    }

    /// The most that both were together.
    pub(crate) fn most(self) -> Held {
        drop(self.over);
        self.thread.join().expect("the meter")
    }
}
