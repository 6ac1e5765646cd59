//! What a process used so far, from `/proc/PID`.

use std::{fs, io};

use serde::Serialize;

/// A process that is measured, or that measures.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    pid: u32,
}

/// Totals since the process began, and its memory now.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Sample {
    /// Nanoseconds on a CPU: the sum over all living threads' `schedstat`. Exact, but forgets threads that ended.
    pub scheduled_ns: u64,
    /// Nanoseconds of `utime` + `stime` in `stat`: whole clock ticks, all threads that ever were.
    pub ticked_ns: u64,
    /// Resident bytes (`VmRSS`).
    pub resident: u64,
    /// Resident bytes that no file backs (`RssAnon`): heap and stacks.
    pub anonymous: u64,
    /// Living threads.
    pub threads: u64,
}

impl Process {
    /// The process with this id.
    #[must_use]
    pub fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// This process.
    #[must_use]
    pub fn own() -> Self {
        Self::new(std::process::id())
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Reads everything.
    ///
    /// # Errors
    /// That `/proc/PID` cannot be read, or makes no sense: mostly, the process is gone.
    pub fn sample(&self) -> io::Result<Sample> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let ticks = ticks_of(&stat).ok_or(io::ErrorKind::InvalidData)?;
        let ticked_ns = ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
        Ok(Sample {
            scheduled_ns: self.scheduled()?,
            ticked_ns,
            resident: kilobytes_of(&status, "VmRSS:") * 1024,
            anonymous: kilobytes_of(&status, "RssAnon:") * 1024,
            threads: number_after(&status, "Threads:"),
        })
    }

    fn scheduled(self) -> io::Result<u64> {
        let mut total = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.pid))? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            total += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(total)
    }
}

impl Sample {
    /// Microseconds of CPU from `earlier` to here. Falls back on whole ticks where the kernel keeps no `schedstat`.
    #[must_use]
    pub fn cpu_us_since(&self, earlier: &Self) -> f64 {
        let scheduled = self.scheduled_ns.saturating_sub(earlier.scheduled_ns);
        let ticked = self.ticked_ns.saturating_sub(earlier.ticked_ns);
        (if scheduled == 0 { ticked } else { scheduled }) as f64 / 1000.0
    }

    /// Bytes of growth from `earlier` to here; negative when it shrank.
    #[must_use]
    pub fn growth_since(&self, earlier: &Self) -> f64 {
        self.resident as f64 - earlier.resident as f64
    }
}

/// `utime` + `stime`: fields 14 and 15, counted after the command's closing parenthesis (which may contain spaces).
fn ticks_of(stat: &str) -> Option<u64> {
    let rest = &stat[stat.rfind(')')? + 2..];
    let mut fields = rest.split(' ').skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn kilobytes_of(status: &str, key: &str) -> u64 {
    number_after(status, key)
}

fn number_after(status: &str, key: &str) -> u64 {
    status.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 30 12 0 0 20 0 1 0 5 1000 20";
        assert_eq!(ticks_of(stat), Some(42));
        assert_eq!(ticks_of("nonsense"), None);
    }

    #[test]
    fn status_lines_are_found_by_key() {
        let status = "Name:\tx\nVmRSS:\t    1234 kB\nThreads:\t3\n";
        assert_eq!(kilobytes_of(status, "VmRSS:"), 1234);
        assert_eq!(number_after(status, "Threads:"), 3);
        assert_eq!(number_after(status, "RssAnon:"), 0);
    }

    #[test]
    fn our_own_use_grows_as_we_work() {
        let before = Process::own().sample().unwrap();
        let memory: Vec<u8> = (0..8_000_000u32).map(|i| i as u8).collect();
        assert_eq!(memory.iter().map(|o| u64::from(*o)).max(), Some(255));
        let after = Process::own().sample().unwrap();
        assert!(after.cpu_us_since(&before) > 0.0);
        assert!(after.growth_since(&before) > 4e6);
        assert!(after.threads >= 1 && after.anonymous > 0);
    }
}
