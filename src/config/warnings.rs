//! What does not stop the start, and yet somebody should know.

use std::fs;

use super::{
    Settings,
    error::OneLine,
    layer::keys,
    report,
    rules::Origins,
    section::Key,
    variables::{self, Resembling},
};

/// Descriptors the process needs besides one for each connection: listeners, the operator's connections, the poll and
/// wake descriptors of each thread, files, and a spike of those that are being refused.
const OWN_DESCRIPTORS: u64 = 256;

/// What this machine gives.
struct Machine {
    open_files: u64,
    /// `net.core.somaxconn`, where it can be read.
    backlog: Option<u64>,
    /// `net.core.wmem_max` in octets, where it can be read.
    send_buffer: Option<u64>,
}

/// What the settings ask for and this machine does not give: a sentence each, with both figures.
/// `open_files_limit` is the soft `RLIMIT_NOFILE` of the process.
#[must_use]
pub fn machine_warnings(settings: &Settings, open_files_limit: u64) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
    let machine = Machine {
        open_files: open_files_limit,
        backlog: read("/proc/sys/net/core/somaxconn"),
        send_buffer: read("/proc/sys/net/core/wmem_max"),
    };
    compare(settings, &machine)
}

fn compare(settings: &Settings, machine: &Machine) -> Vec<String> {
    let connections = settings.server.max_connections as u64;
    let (needed, limit) = (connections + OWN_DESCRIPTORS, machine.open_files);
    let files = (needed > limit).then(|| {
        let room = limit.saturating_sub(OWN_DESCRIPTORS);
        format!(
            "server.max_connections = {connections} needs {needed} file descriptors and the process may open {limit}: \
             about {room} connections will fit (raise `ulimit -n`, or LimitNOFILE= of the service)"
        )
    });
    let backlog = less("http.backlog", settings.http.backlog.into(), "net.core.somaxconn", machine.backlog);
    let buffer = settings.heartbeat.send_buffer_bytes as u64;
    let buffer = less("heartbeat.send_buffer_bytes", buffer, "net.core.wmem_max", machine.send_buffer);
    [files, backlog, buffer].into_iter().flatten().collect()
}

fn less(key: &str, asked: u64, setting: &str, given: Option<u64>) -> Option<String> {
    let given = given.filter(|given| *given < asked)?;
    Some(format!("{key} = {asked} is more than the kernel's {setting} = {given}: it will use {given}"))
}

/// What was configured and is hardly meant: values far from the usual ones, and variables that are not read.
pub(super) fn doubts(settings: &Settings, origins: &Origins, environment: &[(String, String)]) -> Vec<String> {
    let values = report::values(settings);
    let value = |key: &Key| report::value(&values, key).as_i64();
    let doubtful = keys().filter_map(|key| {
        let origin = origins.get(&key.path())?;
        let doubt = key.kind.doubt(value(key)?)?;
        Some(format!("{} ({origin}) is {}", key.path(), doubt.text))
    });
    let unread = environment.iter().filter_map(|(name, value)| match variables::resembling(name, value)? {
        Resembling::Misspelt(Some(near)) => Some(format!("variable {name} is not read: did you mean {near}?")),
        Resembling::Misspelt(None) => Some(format!("variable {name} is not read: ours are SWITCHBOARD__SECTION__KEY")),
        Resembling::OfService => None,
    });
    doubtful.chain(unread).map(|text| OneLine(&text).to_string()).collect()
}

/// The variables that somebody else made for a service called as we are.
pub(super) fn of_services(environment: &[(String, String)]) -> Vec<&str> {
    let theirs = |(name, value): &&(String, String)| variables::resembling(name, value) == Some(Resembling::OfService);
    environment.iter().filter(theirs).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Machine = Machine { open_files: 10_256, backlog: Some(4096), send_buffer: Some(212_992) };

    #[test]
    fn a_machine_that_gives_enough_or_does_not_say_is_no_reason_to_warn() {
        assert!(compare(&Settings::default(), &ENOUGH).is_empty());
        assert!(compare(&Settings::default(), &Machine { backlog: None, send_buffer: None, ..ENOUGH }).is_empty());
        assert!(machine_warnings(&Settings::default(), u64::MAX).iter().all(|text| text.contains("net.core.")));
    }

    #[test]
    fn too_little_is_told_with_both_figures() {
        for (machine, told) in [
            (Machine { open_files: 10_255, ..ENOUGH }, ["10256", "10255"]),
            (Machine { open_files: 100, ..ENOUGH }, ["10256", "about 0 connections"]),
            (Machine { backlog: Some(128), ..ENOUGH }, ["http.backlog = 4096", "net.core.somaxconn = 128"]),
            (Machine { send_buffer: Some(4096), ..ENOUGH }, ["send_buffer_bytes = 98304", "wmem_max = 4096"]),
        ] {
            let warnings = compare(&Settings::default(), &machine);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(told.iter().all(|part| warnings[0].contains(part)), "{warnings:?}");
        }
    }
}
