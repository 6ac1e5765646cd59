//! What the server's rules are held against: naive models of them, and histories that any bytes can be read as.
//!
//! The property tests in `tests/` and the fuzz targets in `fuzz/` play the same histories. A history that breaks a rule
//! panics.
pub mod cluster_wire;
pub mod decoder;
pub mod envelope;
pub mod resume_buffer;
pub mod room;
pub mod seats;
