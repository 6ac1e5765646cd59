//! The doors: the WebSocket upgrade, the page, the probes, and the operator's routes on a listener of their own.
//!
//! A socket is counted when it is accepted (`accept`) and given to a worker (`worker`), which reads one head (`head`)
//! and lets the upgrade or the actix-web app answer it. Requests with `Upgrade: websocket` go to [`upgrade`] whatever their
//! path and see nothing of the app, so that service does its own admission, request id, log line and metrics.
//!
//! | listener | routes |
//! |---|---|
//! | public (`server.host:port`) | `/ws`, `/` and its files, `/healthz`, `/readyz`, `/health` |
//! | ops (`ops.host:port`) | `/metrics`, `/errors`, `POST /admin/drain`, `/` (the live view) and its files, the three probes |
mod accept;
pub mod admin;
mod authority;
pub mod client;
#[cfg(feature = "fault-injection")]
mod faults;
pub mod guard;
mod handshake;
mod head;
pub mod health;
mod hint;
pub mod listeners;
pub mod live;
mod observe;
mod ops;
mod origin;
mod page;
mod plain;
mod probes;
mod request_id;
mod reserve;
pub mod routes;
pub mod scrapes;
mod single_request;
pub mod sockets;
pub mod upgrade;
mod worker;
