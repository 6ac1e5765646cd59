//! What does not stop the start, and yet somebody should know.

use std::fs;

use super::{Capacity, Settings, layer::keys};

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
    let (connections, limit) = (settings.server.max_connections, machine.open_files);
    let capacity = Capacity::of(settings, limit);
    let files = (capacity.short && capacity.connections < connections).then(|| {
        format!(
            "server.max_connections = {connections} needs {} file descriptors and the process may open {limit}: \
             {} connections are let in (raise `ulimit -n`, or LimitNOFILE= of the service)",
            Capacity::needed(settings),
            capacity.connections
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

/// Variables with one underscore where ours have two: they are not read, and whoever set them believes they are.
/// No error, because Kubernetes makes such names for a service called `switchboard`, with `tcp://` in their values.
pub fn variable_warnings<'a>(environment: impl IntoIterator<Item = &'a (String, String)>) -> Vec<String> {
    let meant = |name: &str| keys().map(super::section::Key::variable).find(|key| key.replace("__", "_") == name);
    let misspelt = environment.into_iter().filter(|(_, value)| !value.starts_with("tcp://"));
    misspelt
        .filter_map(|(name, _)| meant(name).map(|key| format!("variable {name} is not read: did you mean {key}?")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: Machine = Machine { open_files: 20_000, backlog: Some(4096), send_buffer: Some(212_992) };

    #[test]
    fn a_machine_that_gives_enough_or_does_not_say_is_no_reason_to_warn() {
        assert!(compare(&Settings::default(), &ENOUGH).is_empty());
        assert!(compare(&Settings::default(), &Machine { backlog: None, send_buffer: None, ..ENOUGH }).is_empty());
        assert!(machine_warnings(&Settings::default(), u64::MAX).iter().all(|text| text.contains("net.core.")));
    }

    #[test]
    fn too_little_is_told_with_both_figures() {
        let needed = Capacity::needed(&Settings::default());
        assert!(compare(&Settings::default(), &Machine { open_files: needed as u64, ..ENOUGH }).is_empty());
        let (needed, less) = (needed.to_string(), (needed - 1).to_string());
        for (machine, told) in [
            (Machine { open_files: less.parse().unwrap(), ..ENOUGH }, [&*needed, &*less]),
            (Machine { open_files: 40, ..ENOUGH }, [&*needed, " 1 connections are let in"]),
            (Machine { backlog: Some(128), ..ENOUGH }, ["http.backlog = 4096", "net.core.somaxconn = 128"]),
            (Machine { send_buffer: Some(4096), ..ENOUGH }, ["send_buffer_bytes = 98304", "wmem_max = 4096"]),
        ] {
            let warnings = compare(&Settings::default(), &machine);
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(told.iter().all(|part| warnings[0].contains(part)), "{warnings:?}");
        }
    }

    #[test]
    fn one_underscore_too_few_is_noticed_unless_kubernetes_made_the_name() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = [
            variable("SWITCHBOARD_OPS_PORT", "9000"),
            variable("SWITCHBOARD_SERVER_PORT", "tcp://10.0.0.1:8080"),
            variable("SWITCHBOARD_SERVICE_HOST", "10.0.0.1"),
            variable("SWITCHBOARD__OPS__HOST", "::1"),
        ];
        assert_eq!(
            variable_warnings(&environment),
            ["variable SWITCHBOARD_OPS_PORT is not read: did you mean SWITCHBOARD__OPS__PORT?"]
        );
    }
}
