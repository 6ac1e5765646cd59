//! What the scenarios are told with: a real server, peers that say and hear, and waiting without sleeping.
pub(crate) mod coturn;
mod drain;
pub(crate) mod haproxy;
pub(crate) mod http;
mod metrics;
mod peer;
pub(crate) mod ports;
pub(crate) mod receiver;
mod server;
pub(crate) mod swarm;
pub(crate) mod tls;
pub(crate) mod tokens;
mod wait;
pub(crate) mod ws;

pub(crate) use drain::{Line, LogDrain, is_utc_time};
pub(crate) use metrics::Scrape;
pub(crate) use peer::{Received, TestPeer};
pub(crate) use server::{Builder, TestServer, program, run, send_signal, temp_dir};
pub(crate) use wait::{PATIENCE, eventually, eventually_within, expect_eq};
