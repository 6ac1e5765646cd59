//! Floods: what hostile clients send from one address or a few, against a server as it is shipped. The small form checks
//! states and no times: that the others are served all along, that what was refused is counted, that memory and descriptors
//! come back. `make abuse` plays the full one on the release build, in a container's memory where one can be made, with
//! five hundred peers who have nothing to do with it, and demands figures; it shows them in one table.
#![expect(clippy::float_cmp, clippy::cast_precision_loss, reason = "metrics are floats, and counts are whole")]
mod busy;
mod cgroup;
mod doors;
mod fairness;
mod figures;
mod memory;
mod meter;
mod requests;
mod rooms;
mod stage;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the scenarios, which need more of it")]
mod support;
mod table;
mod uninvolved;
