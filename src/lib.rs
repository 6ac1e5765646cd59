//! Switchboard: an actor-based signaling server for WebRTC rooms.
pub mod config;
pub mod messages;
pub mod metrics;
pub mod protocol;
pub mod room;
pub mod session;
pub mod supervisor;
pub mod telemetry;
