//! What the peers do. Each scenario is one file: its arguments, its script, and what it reports.

mod bench;
pub mod broadcast;
pub mod churn;
pub mod idle;
pub mod join;
pub mod memory;
pub mod mesh;
mod opening;
pub mod paced;
pub mod profile;
pub mod relay;
mod traffic;

pub(crate) use bench::Bench;
pub(crate) use opening::{Closing, Opening};
pub(crate) use traffic::Traffic;
