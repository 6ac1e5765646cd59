//! The machine, described as far as figures depend on it.

use std::{fs, thread};

use serde::{Deserialize, Serialize};

/// What a reader must know to compare with another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// As `/proc/cpuinfo` names it.
    pub cpu: String,
    /// Logical processors.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Kernel release.
    pub kernel: String,
}

impl Machine {
    /// This machine.
    #[must_use]
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            cpu: field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".into()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: field(&meminfo, "MemTotal")
                .and_then(|t| t.trim_end_matches(" kB").trim().parse::<u64>().ok())
                .map_or(0, |kb| kb / 1024),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }
}

fn field(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let here = Machine::here();
        assert!(here.cores > 0 && here.memory_mib > 0 && !here.kernel.is_empty());
    }

    #[test]
    fn fields_are_read_by_name() {
        assert_eq!(field("a : x\nmodel name\t: Fast (R)\n", "model name").as_deref(), Some("Fast (R)"));
        assert_eq!(field("a : x", "b"), None);
    }
}
