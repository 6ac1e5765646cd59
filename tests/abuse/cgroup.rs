//! A container's memory for one server: a cgroup below the one that the tests run in, where one can be made.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// What the container of docker-compose.yml may use.
pub(crate) const LIMIT: u64 = 512 << 20;
/// How their names begin; the maker's process follows.
const PREFIX: &str = "switchboard-abuse-";
/// How long the kernel may need to forget the last process of a cgroup.
const FORGOTTEN: Duration = Duration::from_secs(5);

/// Gone with its value, which must outlive the server.
pub(crate) struct Cgroup {
    folder: PathBuf,
    /// Version 1 counts TCP memory apart.
    version_1: bool,
}

impl Cgroup {
    /// One of [`LIMIT`].
    ///
    /// # Errors
    /// There is no such controller, or this process may not use it.
    pub(crate) fn make() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (own, version_1) = own_folder()?;
        remove_left_ones(&own);
        let name = format!("{PREFIX}{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = own.join(name);
        if !version_1 {
            fs::write(own.join("cgroup.subtree_control"), "+memory")?;
        }
        fs::create_dir(&folder)?;
        let this = Self { folder, version_1 };
        let limit = LIMIT.to_string();
        if version_1 {
            this.write("memory.limit_in_bytes", &limit)?;
            // Without a limit the kernel does not count it; this one is never met, so that all of a flood is seen.
            this.write("memory.kmem.tcp.limit_in_bytes", &(1_u64 << 40).to_string())?;
        } else {
            this.write("memory.max", &limit)?;
        }
        Ok(this)
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.folder.join(file), value)
    }

    /// What a shell does to be in it.
    pub(crate) fn enter(&self) -> String {
        format!("echo $$ > '{}/cgroup.procs'", self.folder.display())
    }

    /// What the kernel says of its limit: whether it ended anybody for it, too.
    pub(crate) fn events(&self) -> String {
        let file = if self.version_1 { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        text.trim().replace('\n', ", ")
    }

    /// Memory that the kernel uses for TCP on behalf of who is in it.
    pub(crate) fn tcp_bytes(&self) -> u64 {
        let read = |file: &str| fs::read_to_string(self.folder.join(file)).unwrap_or_default();
        let figure = if self.version_1 {
            read("memory.kmem.tcp.usage_in_bytes")
        } else {
            let stat = read("memory.stat");
            stat.lines().find_map(|line| line.strip_prefix("sock ")).unwrap_or_default().to_owned()
        };
        figure.trim().parse().unwrap_or(0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let until = Instant::now() + FORGOTTEN;
        while fs::remove_dir(&self.folder).is_err() && Instant::now() < until {
            // The kernel tells nobody when it has forgotten it.
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Removes those of tests that were killed and could not do it themselves. One that a server is in yet stays.
fn remove_left_ones(own: &Path) {
    for entry in fs::read_dir(own).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
        if maker.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// Where this process's memory is counted, and whether that is version 1.
fn own_folder() -> io::Result<(PathBuf, bool)> {
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let of = |is_it: fn(&str) -> bool| {
        let mut lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
        lines.find(|(controllers, _)| is_it(controllers)).map(|(_, path)| path.trim_start_matches('/').to_owned())
    };
    if let Some(path) = of(|controllers| controllers.split(',').any(|name| name == "memory")) {
        return Ok((Path::new("/sys/fs/cgroup/memory").join(path), true));
    }
    let path = of(str::is_empty).ok_or(io::ErrorKind::NotFound)?;
    Ok((Path::new("/sys/fs/cgroup").join(path), false))
}
