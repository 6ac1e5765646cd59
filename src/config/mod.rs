//! The settings: one struct and one file per section, each key with its unit, default and reason.
//!
//! Four layers, the later one wins: the defaults in code, a TOML file, the plain variables (`PORT` and its like), the
//! structured ones (`SWITCHBOARD__SERVER__PORT`). The plain ones have names that other programs use as well (`HOST` is
//! exported by some shells, `PORT` by many platforms), so they may be set by accident; a structured one never is, and wins.
//!
//! A key is written down once, in its section's file (how: `section.rs`); `config/default.toml` and
//! `docs/configuration.md` are generated from it, and a test keeps them so.

mod auth;
mod authority;
mod capacity;
mod cluster;
#[cfg(test)]
mod doubtful;
mod error;
mod health;
mod heartbeat;
mod http;
mod ice;
mod kind;
mod layer;
mod limits;
mod live;
mod load;
mod log;
mod marked;
mod milliseconds;
mod network;
mod ops;
mod pairs;
mod reach;
mod recorder;
#[cfg(test)]
mod reference;
mod report;
mod rules;
mod secret;
mod section;
mod server;
mod settings;
mod state;
mod stun;
#[cfg(test)]
mod tests;
mod tls;
mod variables;
mod warnings;
mod watchdog;
mod webhooks;

pub use self::{
    auth::{Auth, AuthMode, KeyAlgorithm, TOKEN_BYTES, TokenKey, USER_BYTES},
    authority::Authority,
    capacity::Capacity,
    cluster::Cluster,
    error::ConfigError,
    health::Health,
    heartbeat::Heartbeat,
    http::{ANY_SUBDOMAIN, FILE_ORIGIN, Http, NULL_ORIGIN, SAME_ORIGIN},
    ice::{Ice, IceServer, Urls},
    limits::Limits,
    live::Differences,
    load::{check_config, environment, environment_help, file},
    log::{Log, LogLevel},
    milliseconds::Milliseconds,
    network::{ForwardedHeader, Network},
    ops::Ops,
    reach::{asked_at, is_public_host},
    recorder::Recorder,
    secret::Secret,
    server::Server,
    settings::{Settings, sets},
    state::State,
    stun::Stun,
    tls::{Tls, TlsFiles, TlsVersion},
    warnings::{exposure_warnings, is_open, machine_warnings, memory_warning},
    watchdog::Watchdog,
    webhooks::{WebhookEvent, Webhooks},
};
