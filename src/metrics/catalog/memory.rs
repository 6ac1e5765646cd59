//! What is held on behalf of clients, and what is done when it is nearly all that may be.

use super::series::Series;
use crate::telemetry::{Label, MemoryReport};

const NOTHING: MemoryReport = MemoryReport { used: 0, tcp: 0, step: None };

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
        "switchboard_memory_step",
        "How far relief goes because memory is nearly used: 0 is not at all, 1 the first value of the label of \
         switchboard_memory_relief_total.",
        &[],
        |s, out| out.size(s.totals.memory.unwrap_or(NOTHING).step.map_or(0, |step| step.index() + 1)),
    ),
];
