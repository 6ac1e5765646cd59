//! The server itself: what it is, how it feels, what it may use.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::series::{Samples, Series, closed, float, open};
use crate::{
    metrics::{journal::MAX_KINDS, state::MetricsState},
    telemetry::{Label, Listener},
};

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_build_info",
        "Always 1; its labels say which server and which program this is.",
        &[
            open("version", "the version"),
            open("revision", "the commit"),
            open("rustc", "the compiler"),
            open("node", "`server.node`, else the machine's host name"),
        ],
        |s, out| {
            let build = s.facts.build;
            out.value(&[build.version, build.revision, build.rustc, &s.facts.node], 1.0);
        },
    ),
    Series::gauge("switchboard_start_time_seconds", "When the server started, as Unix time.", &[], |s, out| {
        out.seconds(unix(s.facts.started));
    }),
    Series::gauge(
        "switchboard_heartbeat_timestamp_seconds",
        "When the supervisor last reported, as Unix time; 0 before it did. It stands still when the supervisor does.",
        &[],
        |s, out| out.seconds(s.totals.census.as_ref().map_or(Duration::ZERO, |census| unix(census.at))),
    ),
    Series::gauge(
        "switchboard_certificate_expiry_timestamp_seconds",
        "When the certificate of a listener that speaks TLS expires, as Unix time; absent where it speaks none.",
        &[closed::<Listener>("listener")],
        |s, out| {
            for (listener, ends) in Listener::ALL.iter().zip(s.totals.certificates.unwrap_or_default()) {
                if let Some(ends) = ends {
                    out.value(&[listener.label()], unix(ends).as_secs_f64());
                }
            }
        },
    ),
    Series::gauge("switchboard_ready", "1 while /readyz answers 200, else 0.", &[], |s, out| {
        out.count(&[], s.totals.ready.unwrap_or(false).into());
    }),
    Series::gauge(
        "switchboard_draining",
        "1 from the moment on at which the server is told to go, else 0.",
        &[],
        |s, out| {
            out.count(&[], s.totals.draining.unwrap_or(false).into());
        },
    ),
    Series::gauge(
        "switchboard_last_shutdown_duration_seconds",
        "How long the previous run took to shut down; absent if it left no word.",
        &[],
        |s, out| {
            if let Some(took) = s.facts.last_shutdown {
                out.seconds(took);
            }
        },
    ),
    Series::gauge(
        "switchboard_limit",
        "Configured limits, in the unit that the name ends with.",
        &[open("name", "the configuration key, and `error_fingerprints`, which is fixed")],
        limits,
    ),
    Series::gauge(
        "switchboard_tickets",
        "Tickets that can be redeemed, at the moment of the scrape. At most switchboard_limit{name=\"auth_tickets\"}.",
        &[],
        |s, out| out.size(s.totals.tickets.unwrap_or_default()),
    ),
    Series::gauge("switchboard_arbiters", "Threads that serve connections and have reported.", &[], |s, out| {
        out.size(s.arbiters.len());
    }),
    Series::gauge(
        "switchboard_arbiter_report_age_seconds",
        "The time since the report of the arbiter that has been silent longest. Above a few seconds its thread hangs.",
        &[],
        |s, out| {
            out.seconds(s.arbiters.values().map(|a| s.now.duration_since(a.reported_at)).max().unwrap_or_default());
        },
    ),
    Series::gauge(
        "switchboard_arbiter_tick_delay_max_seconds",
        "The latest that any arbiter's tick came within the last minute: how long connections waited for their thread.",
        &[],
        |s, out| out.seconds(s.arbiters.values().map(|a| a.delay.greatest(s.now)).max().unwrap_or_default()),
    ),
    Series::counter("switchboard_records_merged_total", "Reports of counts that were merged.", &[], |s, out| {
        out.count(&[], s.records_merged);
    }),
    Series::gauge(
        "switchboard_scrape_duration_seconds",
        "How long the previous scrape took to build.",
        &[],
        |s, out| {
            out.seconds(s.scrape_took);
        },
    ),
    Series::gauge(
        "switchboard_process_memory_limit_bytes",
        "Memory that the process may use: its cgroup's limit, else the machine's memory; absent if neither is known.",
        &[],
        |s, out| {
            if let Some(bytes) = s.facts.machine.memory_bytes {
                out.count(&[], bytes);
            }
        },
    ),
    Series::gauge(
        "switchboard_process_cpu_limit_cores",
        "CPU cores that the process may use: its cgroup's quota, else the machine's cores.",
        &[],
        |s, out| out.value(&[], s.facts.machine.cpu_cores),
    ),
];

fn limits(state: &MetricsState, out: &mut Samples) {
    for (name, limit) in &state.facts.limits {
        out.value(&[name], *limit);
    }
    out.value(&["error_fingerprints"], float(MAX_KINDS as u64));
}

fn unix(at: SystemTime) -> Duration {
    at.duration_since(UNIX_EPOCH).unwrap_or_default()
}
