//! The doors: the WebSocket upgrade, the page, the probes, and the operator's routes on a listener of their own.
//!
//! A socket is counted when it is accepted (`listen/accept`) and given to a worker (`listen/worker`), which reads one head
//! (`socket/head`) and lets the upgrade or the actix-web app answer it. Requests with `Upgrade: websocket` go to
//! [`public::upgrade`] whatever their path and see nothing of the app, so that service does its own admission, request id,
//! log line and metrics.
//!
//! Imports run from `listen` over `routes` and `observe` to `public` and `ops`, and from those to `socket` and the rest.
//!
//! | listener | routes |
//! |---|---|
//! | public (`server.host:port`) | `/ws`, `/` and its files, `/address`, `/healthz`, `/readyz`, `/health`, `/health/redis` |
//! | ops (`ops.host:port`) | `/metrics`, `/errors`, what is below `/admin`, `/` (the live view) and its files, the three probes |
mod authority;
pub mod client;
mod error;
mod headers;
mod labels;
pub mod listen;
pub mod live;
mod observe;
pub mod ops;
pub mod public;
mod request_id;
pub mod routes;
pub mod socket;
