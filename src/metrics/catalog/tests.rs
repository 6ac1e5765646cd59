//! The catalogue against Prometheus' rules, and against a state whose every number is known.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant, UNIX_EPOCH},
};

use super::{Series, all};
use crate::{
    machine::Machine,
    metrics::{BuildInfo, Facts, MetricsState},
    protocol::{EndReason, ErrorCode, FrameKind, LeaveReason, Severity},
    telemetry::{
        ArbiterReport, CensusReport, HeldReport, LabelValues, MeshReport, MeshRoom, PairState, RelayOutcome,
        SeriesKind, Tally,
    },
};

fn state(last_shutdown: Option<Duration>) -> MetricsState {
    let facts = Facts {
        build: BuildInfo { version: "1.2.3", revision: "abc", rustc: "1.90.0" },
        node: "blue".to_owned(),
        started: UNIX_EPOCH + Duration::from_secs(1000),
        limits: vec![("limits.rooms".to_owned(), 10_000.0)],
        last_shutdown,
        machine: Machine { memory_bytes: Some(1 << 30), cpu_cores: 1.5 },
    };
    MetricsState::new(facts, Instant::now())
}

/// Every sample of a state as `name{label="value",…}` and its value.
fn samples(state: &MetricsState) -> HashMap<String, f64> {
    let families: Vec<_> = all().map(|series| series.collect(state)).collect();
    let families: Vec<_> = families.into_iter().filter(|family| !family.get_metric().is_empty()).collect();
    let text = prometheus::TextEncoder::new().encode_to_string(&families).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample =
        |line: &str| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().expect("a number")));
    lines.filter_map(sample).collect()
}

fn merged(tally: Tally) -> HashMap<String, f64> {
    let mut state = state(None);
    state.merge(tally, Instant::now());
    samples(&state)
}

#[track_caller]
fn assert_samples(samples: &HashMap<String, f64>, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let found = samples.get(*name).unwrap_or_else(|| panic!("no sample {name}"));
        assert!((found - value).abs() < 1e-9, "{name} is {found} and not {value}");
    }
}

#[test]
fn names_are_as_prometheus_wants_them() {
    let mut seen = BTreeSet::new();
    for Series { name, help, kind, labels, .. } in all() {
        assert!(seen.insert(name), "{name} is declared twice");
        assert!(name.starts_with("switchboard_"), "{name} has no prefix");
        assert_eq!(
            name.ends_with("_total"),
            kind == SeriesKind::Counter,
            "{name}: `_total` is for counters, and for all"
        );
        assert!(!["_count", "_sum", "_bucket"].iter().any(|part| name.ends_with(part)), "{name} looks like a part");
        assert!(help.ends_with('.') && !help.contains("  "), "{name}: its help is sentences");
        assert!(!labels.iter().any(|label| ["le", "quantile", "job", "instance"].contains(&label.name)), "{name}");
    }
}

#[test]
fn every_declared_label_value_exists_at_zero_from_the_start() {
    let samples = samples(&state(None));
    for series in all().filter(|series| series.labels.len() == 1 && series.kind == SeriesKind::Counter) {
        let LabelValues::Closed(words) = series.labels[0].values else { continue };
        for word in words() {
            let name = format!("{}{{{}=\"{word}\"}}", series.name, series.labels[0].name);
            assert_samples(&samples, &[(&name, 0.0)]);
        }
    }
    assert_samples(
        &samples,
        &[
            ("switchboard_messages_total{direction=\"in\",type=\"join\"}", 0.0),
            ("switchboard_messages_total{direction=\"out\",type=\"bye\"}", 0.0),
            ("switchboard_errors_total{class=\"SERVER\",code=\"internal\",severity=\"critical\"}", 0.0),
            ("switchboard_message_handling_seconds_bucket{le=\"+Inf\"}", 0.0),
        ],
    );
}

#[test]
fn no_value_is_outside_of_its_declared_set() {
    let mut tally = Tally::new();
    for &code in ErrorCode::ALL {
        tally.count_error(code, Severity::Low);
    }
    let mut state = state(None);
    state.merge(tally, Instant::now());
    for series in all() {
        for metric in series.collect(&state).get_metric() {
            assert_eq!(metric.get_label().len(), series.labels.len(), "{}", series.name);
            for pair in metric.get_label() {
                let label = series.labels.iter().find(|label| label.name == pair.name()).expect("a declared label");
                if let LabelValues::Closed(words) = label.values {
                    assert!(words().contains(&pair.value()), "{}: {}={}", series.name, pair.name(), pair.value());
                }
            }
        }
    }
}

#[test]
fn traffic_is_counted_where_it_belongs() {
    let mut tally = Tally::new();
    tally.messages_in.add_n(FrameKind::Offer, 3);
    tally.messages_out.add_n(FrameKind::Offer, 2);
    (tally.bytes_in, tally.bytes_out) = (30, 20);
    tally.relays.add_n(RelayOutcome::Delivered, 2);
    tally.handling.observe(Duration::from_micros(30));
    tally.connections_closed.add(EndReason::SlowConsumer);
    tally.leaves.add(LeaveReason::Timeout);
    tally.http.add("GET", "/health", 200, Duration::from_millis(20));
    tally.http.add("GET", "/health", 503, Duration::from_millis(20));
    assert_samples(
        &merged(tally),
        &[
            ("switchboard_messages_total{direction=\"in\",type=\"offer\"}", 3.0),
            ("switchboard_messages_total{direction=\"out\",type=\"offer\"}", 2.0),
            ("switchboard_message_bytes_total{direction=\"in\"}", 30.0),
            ("switchboard_message_bytes_total{direction=\"out\"}", 20.0),
            ("switchboard_relays_total{outcome=\"delivered\"}", 2.0),
            ("switchboard_message_handling_seconds_bucket{le=\"0.000025\"}", 0.0),
            ("switchboard_message_handling_seconds_bucket{le=\"0.00005\"}", 1.0),
            ("switchboard_message_handling_seconds_count", 1.0),
            ("switchboard_connections_closed_total{reason=\"slow_consumer\"}", 1.0),
            ("switchboard_leaves_total{reason=\"timeout\"}", 1.0),
            ("switchboard_http_requests_total{method=\"GET\",route=\"/health\",status=\"503\"}", 1.0),
            ("switchboard_http_request_duration_seconds_count{method=\"GET\",route=\"/health\"}", 2.0),
            ("switchboard_http_request_duration_seconds_bucket{method=\"GET\",route=\"/health\",le=\"0.01\"}", 0.0),
            ("switchboard_records_merged_total", 1.0),
        ],
    );
}

#[test]
fn gauges_are_what_their_owners_last_said() {
    let start = Instant::now();
    let mut state = state(Some(Duration::from_millis(1500)));
    let mut report = |arbiter, connections, delay_ms, after| {
        let mut tally = Tally::new();
        let tick_delay = Duration::from_millis(delay_ms);
        let held = HeldReport {
            partial_frames: 5,
            outboxes: 7 * connections as u64,
            resume_buffers: 9,
            tls: 4,
            recordings: 3,
        };
        let mut mesh = MeshReport::default();
        mesh.pairs.add_n(PairState::Connected, connections as u64);
        mesh.counted.add(MeshRoom::Fractured);
        tally.report(ArbiterReport {
            arbiter,
            connections,
            joined: connections / 2,
            parked: 1,
            held,
            mesh,
            tick_delay,
        });
        state.merge(tally, start + Duration::from_secs(after));
    };
    report(0, 10, 700, 0);
    report(1, 20, 0, 0);
    report(0, 4, 1, 5);
    state.now = start + Duration::from_secs(6);
    assert_samples(
        &samples(&state),
        &[
            ("switchboard_connections", 24.0),
            ("switchboard_joined_connections", 12.0),
            ("switchboard_parked_sessions", 2.0),
            ("switchboard_held_bytes{kind=\"partial_frames\"}", 10.0),
            ("switchboard_held_bytes{kind=\"outboxes\"}", 168.0),
            ("switchboard_held_bytes{kind=\"resume_buffers\"}", 18.0),
            ("switchboard_held_bytes{kind=\"tls\"}", 8.0),
            ("switchboard_held_bytes{kind=\"recordings\"}", 6.0),
            ("switchboard_mesh_pairs{state=\"connected\"}", 24.0),
            ("switchboard_mesh_counted_rooms{state=\"fractured\"}", 2.0),
            ("switchboard_arbiters", 2.0),
            ("switchboard_arbiter_report_age_seconds", 6.0),
            ("switchboard_arbiter_tick_delay_max_seconds", 0.7),
            ("switchboard_arbiter_tick_delay_seconds_count", 3.0),
            ("switchboard_start_time_seconds", 1000.0),
            ("switchboard_last_shutdown_duration_seconds", 1.5),
            ("switchboard_limit{name=\"limits.rooms\"}", 10_000.0),
            ("switchboard_build_info{node=\"blue\",revision=\"abc\",rustc=\"1.90.0\",version=\"1.2.3\"}", 1.0),
            ("switchboard_process_cpu_limit_cores", 1.5),
        ],
    );
}

#[test]
fn the_census_is_shown_as_it_was_taken() {
    let mut tally = Tally::new();
    tally.census = Some(CensusReport {
        at: UNIX_EPOCH + Duration::from_secs(77),
        rooms: 4,
        peers: 9,
        users: 7,
        joins_per_minute: 5,
        leaves_per_minute: 2,
        locked_rooms: 3,
        bans: 6,
        ban_bytes: 1234,
        occupancy: vec![1, 2, 0, 1],
    });
    assert_samples(
        &merged(tally),
        &[
            ("switchboard_rooms", 4.0),
            ("switchboard_peers", 9.0),
            ("switchboard_users", 7.0),
            ("switchboard_joins_per_minute", 5.0),
            ("switchboard_leaves_per_minute", 2.0),
            ("switchboard_locked_rooms", 3.0),
            ("switchboard_bans", 6.0),
            ("switchboard_held_bytes{kind=\"bans\"}", 1234.0),
            ("switchboard_heartbeat_timestamp_seconds", 77.0),
            ("switchboard_room_peers_bucket{le=\"1\"}", 1.0),
            ("switchboard_room_peers_bucket{le=\"3\"}", 3.0),
            ("switchboard_room_peers_bucket{le=\"4\"}", 4.0),
            ("switchboard_room_peers_count", 4.0),
            ("switchboard_room_peers_sum", 9.0),
        ],
    );
}
