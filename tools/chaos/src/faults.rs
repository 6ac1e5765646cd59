//! What can be wrong with a connection.

use std::{num::NonZeroU32, time::Duration};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a connection ends on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Orderly for TCP (FIN), though not for what runs over it.
    Fin,
    /// With a reset (RST).
    Reset,
}

/// The end of a connection after so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Bytes that still pass in this direction.
    pub after: u64,
    /// How the connection ends then.
    pub ending: Ending,
}

/// What is wrong with one direction of one connection. Nothing, by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// How much later than it was sent an byte arrives. Throughput is not touched.
    pub delay: Duration,
    /// Bytes a second that pass.
    pub rate: Option<NonZeroU32>,
    /// Nothing is read and nothing passes; the sockets stay open.
    pub stalled: bool,
    /// The connection ends after some more bytes.
    pub cut: Option<Cut>,
}
