//! The operator's listener: who may ask it, and a file per route.
pub(super) mod drain;
pub(super) mod errors;
#[cfg(feature = "fault-injection")]
pub(super) mod fault;
pub(super) mod guard;
pub(super) mod metrics;
mod ports;
pub mod scrapes;
mod token;

pub use self::{
    guard::{Guard, GuardConfig},
    ports::{DrainTimes, Ops},
    token::Token,
};
