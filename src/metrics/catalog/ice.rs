//! What helps peers to find a way to each other: STUN and TURN.

use super::series::{Samples, Series, closed, open};
use crate::{
    metrics::state::MetricsState,
    telemetry::{IceKind, IceOutcome, IceTransport, Label, LabelSpec},
};

const KIND: LabelSpec = open("kind", "`stun` or `turn`");
const TRANSPORT: LabelSpec = open("transport", "`udp`, `tcp`, `tls` or `dtls`");

pub(super) const SERIES: &[Series] = &[
    Series::counter(
        "switchboard_ice_checks_total",
        "Checks of the STUN and TURN servers that clients are told of, by what was found. Those by DTLS are not asked.",
        &[KIND, TRANSPORT, closed::<IceOutcome>("outcome")],
        |s, out| {
            for (kind, transport, outcomes) in s.totals.ice_checks() {
                for (outcome, count) in outcomes.iter() {
                    out.count(&[kind.label(), transport.label(), outcome.label()], count);
                }
            }
        },
    ),
    Series::gauge(
        "switchboard_ice_servers",
        "STUN and TURN servers that were asked in the latest round of checks.",
        &[KIND, TRANSPORT],
        |s, out| servers(s, out, |(asked, _)| asked),
    ),
    Series::gauge(
        "switchboard_ice_servers_failing",
        "Those of them that did not give what they were asked for.",
        &[KIND, TRANSPORT],
        |s, out| servers(s, out, |(_, failed)| failed),
    ),
];

fn servers(state: &MetricsState, out: &mut Samples, figure: fn((u64, u64)) -> u64) {
    let report = state.totals.ice_report.unwrap_or_default();
    for &kind in IceKind::ALL {
        for &transport in IceTransport::ALL {
            let found = report.of(kind, transport);
            if found.0 > 0 {
                out.count(&[kind.label(), transport.label()], figure(found));
            }
        }
    }
}
