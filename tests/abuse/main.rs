//! Floods: what hostile clients send from one address or a few, against a server as it is shipped. Each checks states and
//! no times: that the others are served all along, that what was refused is counted, that memory and descriptors come
//! back. `make abuse` plays them in full, on the release build, and prints what it saw; `make test` plays a small form.
#![expect(clippy::float_cmp, reason = "metrics are floats, and counts are whole")]
mod doors;
mod memory;
mod requests;
mod rooms;
mod stage;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the scenarios, which need more of it")]
mod support;
