//! What the scenarios are told with: a real server, peers that say and hear, and waiting without sleeping.
mod drain;
pub(crate) mod http;
mod metrics;
mod peer;
pub(crate) mod ports;
pub(crate) mod receiver;
mod server;
pub(crate) mod swarm;
pub(crate) mod tokens;
mod wait;
pub(crate) mod ws;

pub(crate) use drain::{Line, is_utc_time};
pub(crate) use metrics::Scrape;
pub(crate) use peer::{Received, TestPeer};
pub(crate) use server::{Builder, TestServer, program, run, temp_dir};
#[cfg_attr(
    not(feature = "fault-injection"),
    allow(unused_imports, reason = "only who injects faults waits longer")
)]
pub(crate) use wait::eventually_within;
pub(crate) use wait::{PATIENCE, eventually, expect_eq};
