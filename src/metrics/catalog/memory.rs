//! What is held on behalf of clients, and what is done when it is nearly all that may be.

use super::series::{Series, closed};
use crate::{
    metrics::state::MetricsState,
    telemetry::{HeldKind, HeldReport, Label, MemoryReport},
};

const NOTHING: MemoryReport = MemoryReport { used: 0, tcp: 0, heads: 0, transfers: 0, step: None };

pub(super) const SERIES: &[Series] = &[
    Series::gauge(
        "switchboard_memory_used_bytes",
        "Memory held on behalf of clients: what the allocator and the kernel's TCP use beyond what they did at the start. At \
         most switchboard_limit{name=\"memory_bytes\"}.",
        &[],
        |s, out| out.count(&[], s.totals.memory.unwrap_or(NOTHING).used),
    ),
    Series::gauge(
        "switchboard_memory_tcp_bytes",
        "The part of switchboard_memory_used_bytes that is the kernel's, for TCP.",
        &[],
        |s, out| out.count(&[], s.totals.memory.unwrap_or(NOTHING).tcp),
    ),
    Series::gauge(
        "switchboard_held_bytes",
        "What is held on behalf of clients, by kind, as it was found within the last few seconds. A frame that waits for \
         several is in it for each, and what the allocator needs beside is not: the sum is no part of \
         switchboard_memory_used_bytes, but tells what that is used for.",
        &[closed::<HeldKind>("kind")],
        |s, out| {
            for kind in HeldKind::ALL {
                out.count(&[kind.label()], held(s, *kind));
            }
        },
    ),
    Series::gauge(
        "switchboard_memory_step",
        "How far relief goes because memory is nearly used: 0 is not at all, 1 the first value of the label of \
         switchboard_memory_relief_total.",
        &[],
        |s, out| out.size(s.totals.memory.unwrap_or(NOTHING).step.map_or(0, |step| step.index() + 1)),
    ),
];

fn held(state: &MetricsState, kind: HeldKind) -> u64 {
    let memory = state.totals.memory.unwrap_or(NOTHING);
    let sessions =
        |held: fn(&HeldReport) -> u64| state.arbiters.values().map(|arbiter| held(&arbiter.latest.held)).sum();
    match kind {
        HeldKind::PartialFrames => sessions(|held| held.partial_frames),
        HeldKind::Outboxes => sessions(|held| held.outboxes),
        HeldKind::ResumeBuffers => sessions(|held| held.resume_buffers),
        HeldKind::Tls => sessions(|held| held.tls),
        HeldKind::Recordings => sessions(|held| held.recordings),
        HeldKind::Transfers => memory.transfers,
        HeldKind::HttpHeads => memory.heads,
        HeldKind::Bans => state.totals.census.as_ref().map_or(0, |census| census.ban_bytes),
        HeldKind::KernelTcp => memory.tcp,
    }
}
