//! What clients and balancers ask for: the WebSocket upgrade, the page, this machine's address, the probes.
pub(super) mod address;
pub(super) mod handshake;
pub mod health;
mod hint;
pub(super) mod origin;
pub(super) mod page;
pub mod probes;
pub(super) mod request_limit;
pub mod upgrade;
