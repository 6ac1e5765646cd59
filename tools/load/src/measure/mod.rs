//! Measuring: latencies, what a process used, and the machine it ran on.

pub mod latency;
pub mod machine;
pub mod process;
