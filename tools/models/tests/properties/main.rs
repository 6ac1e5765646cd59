//! The server's rules against naive models of them, over random histories.
mod cluster_wire;
mod decoder;
mod envelope;
#[path = "../../../../src/protocol/histories.rs"]
mod histories;
mod resume_buffer;
mod room;
mod seats;
