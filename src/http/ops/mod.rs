//! The operator's listener: who may ask it, and a file per route.
mod body;
pub(super) mod errors;
mod facts;
#[cfg(feature = "fault-injection")]
pub(super) mod fault;
pub(super) mod guard;
pub(super) mod metrics;
mod moderators;
mod ports;
mod questions;
mod recordings;
pub mod scrapes;
mod token;
pub(super) mod v1;

pub use self::{
    facts::ServerFacts,
    guard::{Guard, GuardConfig},
    moderators::Moderators,
    ports::{DrainTimes, Ops, ReloadRequest, Reloaded},
    questions::Questions,
    recordings::RecordedRooms,
    token::Token,
};
