//! Memory that the kernel uses for TCP: what waits in sockets to be read or sent. A container is killed for it as for its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::{SysconfVar, sysconf};

use super::cgroup::{folders, read};

/// A limit above this is none: version 1 says so with a number near 2^63.
const NO_LIMIT: u64 = 1 << 62;

/// Where it can be read, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpMemory {
    /// Version 2: of this cgroup. Its `memory.stat` says `sock`.
    Version2(PathBuf),
    /// Version 1: of this cgroup, if it has a limit. Without one the kernel does not count.
    Version1(PathBuf),
    /// That of the whole machine.
    Machine(PathBuf),
}

impl TcpMemory {
    /// Looks for the best there is.
    #[must_use]
    pub fn find() -> Self {
        Self::find_below(Path::new("/"))
    }

    fn find_below(root: &Path) -> Self {
        for folder in folders(root, "memory") {
            // The root of all cgroups has no limit, and counts nothing for itself.
            let version_2 = folder.join("memory.stat");
            if folder.join("memory.max").exists() && sock(&version_2).is_some() {
                return Self::Version2(version_2);
            }
            let limit = read(&folder.join("memory.kmem.tcp.limit_in_bytes")).and_then(|text| text.parse::<u64>().ok());
            if limit.is_some_and(|limit| limit < NO_LIMIT) {
                return Self::Version1(folder.join("memory.kmem.tcp.usage_in_bytes"));
            }
        }
        Self::Machine(root.join("proc/net/sockstat"))
    }

    /// Bytes now; 0 where nobody says.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let bytes = match self {
            Self::Version2(file) => sock(file),
            Self::Version1(file) => read(file).and_then(|text| text.parse().ok()),
            Self::Machine(file) => sockstat(file),
        };
        bytes.unwrap_or(0)
    }
}

fn sock(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("sock "))?.trim().parse().ok()
}

/// `TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 3`.
fn sockstat(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let pages: u64 = line.split_once(" mem ")?.1.trim().parse().ok()?;
    Some(pages * page_bytes())
}

/// Bytes of a page, in which `/proc/net/sockstat` counts: 4 KiB, and on some arm64 kernels 16 or 64.
fn page_bytes() -> u64 {
    let told = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    told.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::fake::Root;

    const SOCKSTAT: (&str, &str) =
        ("proc/net/sockstat", "sockets: used 27\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 3\nUDP: inuse 0 mem 9\n");

    #[test]
    fn a_cgroup_that_counts_is_asked_first() {
        let root = Root::with(&[
            SOCKSTAT,
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 5\nsock 7000\nshmem 1\n"),
        ]);
        let tcp = TcpMemory::find_below(root.path());
        assert_eq!(tcp.bytes(), 7000);
        root.write("sys/fs/cgroup/a/memory.stat", "anon 5\nsock 9000\n");
        assert_eq!(tcp.bytes(), 9000);
    }

    #[test]
    fn version_1_is_asked_where_it_counts() {
        let cgroup = ("proc/self/cgroup", "4:memory:/a\n");
        let usage = ("sys/fs/cgroup/memory/a/memory.kmem.tcp.usage_in_bytes", "5000\n");
        let limit = |text| ("sys/fs/cgroup/memory/a/memory.kmem.tcp.limit_in_bytes", text);
        let root = Root::with(&[SOCKSTAT, cgroup, usage, limit("100000\n")]);
        assert_eq!(TcpMemory::find_below(root.path()).bytes(), 5000);
        let root = Root::with(&[SOCKSTAT, cgroup, usage, limit("9223372036854771712\n")]);
        assert_eq!(TcpMemory::find_below(root.path()).bytes(), 3 * page_bytes());
    }

    #[test]
    fn else_it_is_the_machines() {
        for files in [
            &[][..],
            &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.stat", "sock 0\n")],
            &[("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/memory.max", "max\n")],
        ] {
            let root = Root::with(&[&[SOCKSTAT][..], files].concat());
            assert_eq!(TcpMemory::find_below(root.path()).bytes(), 3 * page_bytes(), "{files:?}");
        }
        assert_eq!(TcpMemory::find_below(Root::with(&[]).path()).bytes(), 0);
    }
}
