//! `docs/metrics.md`, out of the catalogue.

use std::fmt::Write;

use super::catalog::{self, Series};
use crate::telemetry::{LabelValues, SeriesKind, drift};

/// What operators of such servers call things, and the expression that gives it.
const COMMON_NAMES: [(&str, &str); 20] = [
    ("active_websocket_connections", "switchboard_connections"),
    ("websocket_connections_total", "switchboard_connections"),
    ("active_rooms", "switchboard_rooms"),
    ("peers_per_room", "switchboard_room_peers_bucket"),
    ("room_full_rejections", "switchboard_join_rejections_total{code=\"room_full\"}"),
    ("websocket_errors_total", "sum(switchboard_errors_total)"),
    ("errors_total", "switchboard_errors_total"),
    ("error_rate", "sum(rate(switchboard_errors_total[5m])) * 60"),
    ("websocket_messages_total", "switchboard_messages_total"),
    ("message_rate", "sum(rate(switchboard_messages_total[1m]))"),
    ("websocket_message_latency_seconds", "switchboard_message_handling_seconds_bucket"),
    ("websocket_connection_duration_seconds", "switchboard_connection_duration_seconds_bucket"),
    (
        "average_session_duration",
        "rate(switchboard_connection_duration_seconds_sum[5m]) / rate(switchboard_connection_duration_seconds_count[5m])",
    ),
    ("websocket_shutdown_time_seconds", "switchboard_last_shutdown_duration_seconds"),
    ("http_requests_total", "switchboard_http_requests_total"),
    ("http_request_duration_seconds", "switchboard_http_request_duration_seconds_bucket"),
    ("reconnection_attempts", "switchboard_reconnection_attempts_total"),
    (
        "reconnection success rate",
        "1 - sum without(result) (rate(switchboard_reconnection_attempts_total{result=\"refused\"}[5m])) / \
         sum without(result) (rate(switchboard_reconnection_attempts_total{result!=\"not_found\"}[5m]))",
    ),
    (
        "client reconnection success rate",
        "sum without (kind) (rate(switchboard_client_events_total{kind=\"reconnected\"}[5m])) / \
         sum without (kind) (rate(switchboard_client_events_total{kind=~\"reconnected|reconnect_failed\"}[5m]))",
    ),
    ("churn", "switchboard_joins_per_minute + switchboard_leaves_per_minute"),
];

fn series() -> String {
    let mut page = String::new();
    for (topic, series) in catalog::topics() {
        let topic: &str = topic.into();
        let _ = write!(page, "## {topic}\n\n| series | type | unit | labels | what it says |\n|---|---|---|---|---|\n");
        for one in series {
            page.push_str(&row(&one));
        }
        page.push('\n');
    }
    page
}

fn row(series: &Series) -> String {
    let kind = match series.kind {
        SeriesKind::Counter => "counter",
        SeriesKind::Gauge => "gauge",
        SeriesKind::Histogram => "histogram",
    };
    let labels: Vec<String> = series.labels.iter().map(|l| format!("`{}`: {}", l.name, values(l.values))).collect();
    let Series { name, help, .. } = series;
    format!("| `{name}` | {kind} | {} | {} | {help} |\n", series.unit(), labels.join("; "))
}

fn values(values: LabelValues) -> String {
    match values {
        LabelValues::Closed(words) => words().iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" "),
        LabelValues::AsTheyCome(what) => what.to_owned(),
    }
}

fn common_names() -> String {
    let mut table = String::from("| name | expression |\n|---|---|\n");
    for (name, expression) in COMMON_NAMES {
        let _ = writeln!(table, "| `{name}` | `{expression}` |");
    }
    table
}

#[test]
fn the_page_says_what_the_catalogue_says() {
    drift::check("metrics.md", "series", &series());
    drift::check("metrics.md", "names", &common_names());
}

#[test]
fn common_names_are_made_of_series_that_exist() {
    let known: Vec<&str> = catalog::all().map(|series| series.name).collect();
    for (name, expression) in COMMON_NAMES {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let used: Vec<&str> = words.filter(|word| word.starts_with("switchboard_")).collect();
        assert!(!used.is_empty(), "{name} is made of nothing");
        for word in used {
            let parts = ["_bucket", "_sum", "_count"];
            let base = parts.iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word);
            assert!(known.contains(&base) || known.contains(&word), "{name} uses {word}");
        }
    }
}
