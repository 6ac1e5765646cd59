//! The load generator for signaling servers, the baseline that they are held against, and the comparison of several.
//!
//! Where to start reading: [`ws`] (RFC 6455 by hand), [`payload`] (what peers send and how it is verified), [`dialect`]
//! (one file per server's protocol), [`swarm`] (tens of thousands of peers on one epoll loop), [`scenario`] (what they do),
//! [`measure`] (a server's CPU and memory from `/proc`), [`report`] (what comes out), [`baseline`] (the least a relay can
//! do) and [`compare`] (everybody by turns).
//!
//! One thread, no runtime: what the generator does per message is one read, two comparisons, one copy and one write, so
//! that it costs less than what it measures.

pub mod baseline;
pub mod cli;
pub mod compare;
pub mod dialect;
pub mod measure;
pub mod payload;
pub mod report;
pub mod scenario;
pub mod swarm;
pub mod ws;
