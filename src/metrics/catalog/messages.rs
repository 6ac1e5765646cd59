//! Messages and what becomes of them.

use super::series::{Series, closed};
use crate::{
    protocol::FrameKind,
    telemetry::{LabelSpec, LabelValues},
};

const DIRECTION: LabelSpec = LabelSpec { name: "direction", values: LabelValues::Closed(|| vec!["in", "out"]) };
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
];
