//! The cluster, and its Redis. A server that is alone has none of these.

use super::series::{Series, open};
use crate::{
    metrics::state::MetricsState,
    telemetry::{ClusterReport, Label, LabelSpec, RedisOperation},
};

const OPERATION: LabelSpec = open("operation", "what Redis was asked, such as `join`, `signal`, `beat`");
const STATUS: LabelSpec = open("status", "`ok`, `refused`, `failed` or `lost`");
const RESULT: LabelSpec = open("result", "`made`, `failed` or `lost`");
const REASON: LabelSpec = open("reason", "`trimmed`, `life`, `empty` or `generation`");

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_redis_up",
        "1 while Redis answers and nothing of what it has is missing here, 0 else.",
        &[],
        |s, out| {
            with(s, |report| out.count(&[], u64::from(report.up)));
        },
    ),
    Series::counter(
        "switchboard_redis_commands_total",
        "Commands to Redis, by what became of them. Those that were lost or refused go out again, if they change a room.",
        &[OPERATION, STATUS],
        |s, out| {
            with(s, |report| {
                for (operation, statuses) in RedisOperation::ALL.iter().zip(&report.commands) {
                    for (status, count) in statuses.iter() {
                        out.count(&[operation.label(), status.label()], count);
                    }
                }
            });
        },
    ),
    Series::histogram(
        "switchboard_redis_command_seconds",
        "How long commands to Redis took, from their way out to their answer or the loss of the connection.",
        &[OPERATION],
        |s, out| {
            with(s, |report| {
                for (operation, times) in RedisOperation::ALL.iter().zip(&report.times) {
                    out.buckets(&[operation.label()], times);
                }
            });
        },
    ),
    Series::counter(
        "switchboard_redis_connections_total",
        "Connections to Redis, by what became of them. Each that was made is lost one day, or ends with the process.",
        &[RESULT],
        |s, out| {
            with(s, |report| {
                for (result, count) in report.connections.iter() {
                    out.count(&[result.label()], count);
                }
            });
        },
    ),
    Series::gauge("switchboard_redis_waiting_commands", "Commands that Redis has not answered yet.", &[], |s, out| {
        with(s, |report| out.size(report.waiting));
    }),
    Series::gauge(
        "switchboard_redis_waiting_bytes",
        "Bytes of signals among them, of cluster.waiting_bytes.",
        &[],
        |s, out| {
            with(s, |report| out.size(report.waiting_bytes));
        },
    ),
    Series::gauge("switchboard_cluster_rooms", "Rooms of the cluster that this node has peers in.", &[], |s, out| {
        with(s, |report| out.size(report.rooms));
    }),
    Series::counter(
        "switchboard_cluster_holes_total",
        "Holes in what was published of a room that were filled from its log. Nobody has noticed.",
        &[],
        |s, out| {
            with(s, |report| out.count(&[], report.holes));
        },
    ),
    Series::counter(
        "switchboard_cluster_resyncs_total",
        "Times that a room was taken anew from Redis, and its peers here resume or join anew, since they may have missed something.",
        &[REASON],
        |s, out| {
            with(s, |report| {
                for (reason, count) in report.resyncs.iter() {
                    out.count(&[reason.label()], count);
                }
            });
        },
    ),
    Series::counter(
        "switchboard_cluster_generations_total",
        "Losses of data in Redis after which nodes said what they had.",
        &[],
        |s, out| {
            with(s, |report| out.count(&[], report.generations));
        },
    ),
    Series::counter(
        "switchboard_cluster_dead_nodes_total",
        "Times that this node found another one dead, and ended its seats.",
        &[],
        |s, out| {
            with(s, |report| out.count(&[], report.dead));
        },
    ),
    Series::counter(
        "switchboard_cluster_malformed_total",
        "Entries and answers from Redis that make no sense. None is expected.",
        &[],
        |s, out| {
            with(s, |report| out.count(&[], report.malformed));
        },
    ),
];

fn with(state: &MetricsState, read: impl FnOnce(&ClusterReport)) {
    if let Some(report) = &state.totals.cluster {
        read(report);
    }
}
