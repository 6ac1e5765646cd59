//! The operator's API, below `/admin/v1`: a file per subject. What it takes and answers is described by [`openapi`], which is
//! written from the handlers; a test compares its paths with the routes.
//!
//! Whoever gets here is on this machine, or has shown the token (`super::guard`). Every call that looks into rooms or changes
//! something is told and counted ([`calls`]).
//!
//! | file | routes |
//! |---|---|
//! | `rooms` | `rooms`, `rooms/{room}`, `peers` |
//! | `recorder` | `rooms/{room}/recorder` |
//! | `server` | `version`, `limits`, `log-level`, `reload` |
//! | `drain` | `drain`, `undrain` |
//! | `tickets` | `tickets` |
//! | `moderation` | `kick`, `bans`, `lock`, `close`, `notice` |
//! | `openapi` | `openapi.json` |
//!
//! `order` reads the body of those that take one.
mod calls;
mod drain;
mod error;
mod mesh;
mod moderation;
mod openapi;
mod order;
mod recorder;
mod rooms;
mod routes;
mod server;
mod tickets;

pub(in crate::http) use self::routes::register;
