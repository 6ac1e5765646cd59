//! Messages and what becomes of them.

use super::series::{LabelSpec, Series, Values, closed};
use crate::{protocol::FrameKind, telemetry::RelayOutcome};

const DIRECTION: LabelSpec = LabelSpec { name: "direction", values: Values::Closed(|| vec!["in", "out"]) };
const TYPE: LabelSpec = closed::<FrameKind>("type");

pub(super) const SERIES: &[Series] = &[
    Series::counter(
        "switchboard_messages_total",
        "Messages read from clients (in) and put into clients' queues (out), by type; signal messages by their kind.",
        &[DIRECTION, TYPE],
        |s, out| {
            for (kind, count) in s.totals.messages_in.iter().filter(|(kind, _)| kind.is_incoming()) {
                out.count(&["in", kind.as_str()], count);
            }
            for (kind, count) in s.totals.messages_out.iter().filter(|(kind, _)| kind.is_outgoing()) {
                out.count(&["out", kind.as_str()], count);
            }
        },
    ),
    Series::counter(
        "switchboard_message_bytes_total",
        "Bytes of messages read from clients (in, without frame heads) and put into clients' queues (out, with them).",
        &[DIRECTION],
        |s, out| {
            out.count(&["in"], s.totals.bytes_in);
            out.count(&["out"], s.totals.bytes_out);
        },
    ),
    Series::counter(
        "switchboard_relays_total",
        "Signals towards one receiver each, by what became of them.",
        &[closed::<RelayOutcome>("outcome")],
        |s, out| out.counts(&s.totals.relays),
    ),
    Series::counter(
        "switchboard_busy_pauses_total",
        "Times that a connection was read no further because receivers had no room for what it sent.",
        &[],
        |s, out| out.count(&[], s.totals.busy_pauses),
    ),
    Series::histogram(
        "switchboard_message_handling_seconds",
        "From a message's read to its place in the receiver's queue. A sample: one relayed message in 16.",
        &[],
        |s, out| out.buckets(&[], &s.totals.handling),
    ),
    Series::counter(
        "switchboard_slow_messages_total",
        "Messages whose handling took longer than log.slow_message_ms and was logged.",
        &[],
        |s, out| out.count(&[], s.totals.slow_messages),
    ),
];
