//! The worker threads, each an arbiter: their list, and what each does at regular times.
//!
//! | file | what |
//! |---|---|
//! | `list` | all of them, and which of them a room and its sessions live on |
//! | [`tick`] | the shared tick: one sweep per arbiter instead of timers per session |
//! | `report` | what an arbiter tells of itself at each tick |
mod list;
mod report;
pub mod tick;

pub use list::Arbiters;
