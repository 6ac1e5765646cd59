//! What the scenarios are told with: a real server, peers that say and hear, and waiting without sleeping.
pub(crate) mod coturn;
mod drain;
pub(crate) mod http;
mod metrics;
mod peer;
pub(crate) mod ports;
pub(crate) mod receiver;
#[path = "../../nodes/support/redis.rs"]
mod redis;
mod server;
pub(crate) mod swarm;
pub(crate) mod tls;
pub(crate) mod tokens;
mod wait;
pub(crate) mod ws;

pub(crate) use drain::{Line, LogDrain, is_utc_time};
pub(crate) use metrics::Scrape;
pub(crate) use peer::{Received, TestPeer};
pub(crate) use redis::TestRedis;
pub(crate) use server::{Builder, TestServer, program, run, send_signal, temp_dir};
/// For what the tests of the cluster's nodes share with these.
use wait::PATIENCE as WITHIN;
pub(crate) use wait::{PATIENCE, eventually, eventually_within, expect_eq};
