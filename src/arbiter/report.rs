//! What an arbiter tells of itself at each tick: how many sessions it has, and how late the tick came.

use crate::{
    late::Lateness,
    session::sweep,
    telemetry::{self, ArbiterReport, Event, HeldReport, MeshReport},
    ws::traffic,
};

/// Reports, and hands on what this thread has counted since the last report. `index` names the arbiter.
pub(super) fn report(index: usize, held: HeldReport, mesh: MeshReport, Lateness { behind: late, is_late }: Lateness) {
    let [connected, joined, parked] = sweep::standing();
    let connections = connected + joined;
    let traffic = traffic::take();
    telemetry::tally(|t| {
        t.websocket_received_bytes += traffic.received;
        t.websocket_sent_bytes += traffic.sent;
        t.report(ArbiterReport { arbiter: index, connections, joined, parked, held, mesh, tick_delay: late });
    });
    if is_late {
        telemetry::emit(&Event::TickLate { arbiter: index, late });
    }
    telemetry::flush();
}
