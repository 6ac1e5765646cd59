//! What clients and balancers ask for: the WebSocket upgrade, the page, the probes.
pub(super) mod handshake;
pub mod health;
mod hint;
pub(super) mod origin;
pub(super) mod page;
pub mod probes;
pub(super) mod request_limit;
pub mod upgrade;
