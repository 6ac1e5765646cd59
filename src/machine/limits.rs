//! What this process may use: its cgroup's limits, else the machine.

use std::{fs, path::Path, thread};

use super::cgroup::{folders, read};

/// Limits of memory and CPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Machine {
    /// Bytes of memory. `None` when even the machine's is not known.
    pub memory_bytes: Option<u64>,
    /// CPU cores; half a core is 0.5.
    pub cpu_cores: f64,
}

impl Machine {
    /// Reads them from `/proc` and `/sys/fs/cgroup`.
    #[must_use]
    pub fn read() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self::read_below(Path::new("/"), cores)
    }

    /// The same with another root directory. `cores` are those of the machine that this process may run on.
    fn read_below(root: &Path, cores: usize) -> Self {
        let total = meminfo(&root.join("proc/meminfo"));
        let limit = least(folders(root, "memory").iter().filter_map(|folder| memory_limit(folder)));
        let cores = f64::from(u32::try_from(cores).unwrap_or(u32::MAX));
        let quota = folders(root, "cpu").iter().filter_map(|folder| cpu_quota(folder)).fold(cores, f64::min);
        // Version 1 says "no limit" with a number near 2^63: never more than the machine has.
        Self { memory_bytes: least([total, limit].into_iter().flatten()), cpu_cores: quota }
    }
}

fn least(values: impl Iterator<Item = u64>) -> Option<u64> {
    values.min()
}

fn memory_limit(folder: &Path) -> Option<u64> {
    let text = read(&folder.join("memory.max")).or_else(|| read(&folder.join("memory.limit_in_bytes")))?;
    text.parse().ok()
}

fn cpu_quota(folder: &Path) -> Option<f64> {
    let text = match read(&folder.join("cpu.max")) {
        Some(text) => text,
        None => format!("{} {}", read(&folder.join("cpu.cfs_quota_us"))?, read(&folder.join("cpu.cfs_period_us"))?),
    };
    let (quota, period) = text.split_once(' ')?;
    // "max", or -1 in version 1: no quota.
    let quota: f64 = quota.parse().ok()?;
    let period: f64 = period.parse().ok()?;
    (quota > 0.0 && period > 0.0).then_some(quota / period)
}

fn meminfo(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::fake::Root;

    fn read(root: &Root) -> (Option<u64>, f64) {
        let machine = Machine::read_below(root.path(), 4);
        (machine.memory_bytes, machine.cpu_cores)
    }

    #[test]
    fn version_2_limits_hold_along_the_path() {
        let root = Root::with(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "1000000\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "50000 100000\n"),
        ]);
        assert_eq!(read(&root), (Some(1_000_000), 0.5));
    }

    #[test]
    fn version_1_limits_are_found_at_the_mounts_root_inside_a_container() {
        let root = Root::with(&[
            ("proc/self/cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(read(&root), (Some(500_000), 1.5));
    }

    #[test]
    fn without_limits_it_is_the_machine() {
        let root = Root::with(&[
            ("proc/self/cgroup", "4:memory:/\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/cpu.max", "max 100000\n"),
        ]);
        assert_eq!(read(&root), (Some(2048 * 1024), 4.0));
    }
}
