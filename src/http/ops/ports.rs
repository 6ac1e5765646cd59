//! What the operator's routes reach.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use utoipa::ToSchema;

use super::{
    facts::ServerFacts, moderators::Moderators, questions::Questions, recordings::RecordedRooms, scrapes::Scrapes,
};
use crate::{auth::Tickets, config::Settings, lifecycle::Lifecycle, metrics::Exposition};

/// What the operator's routes need. Cloning is cheap and done once per arbiter.
#[derive(Clone)]
pub struct Ops {
    /// `/metrics` and `/errors`.
    pub metrics: Exposition,
    /// The phase.
    pub lifecycle: Lifecycle,
    /// Who scrapes.
    pub scrapes: Scrapes,
    /// `/admin/v1/drain`.
    pub drain: DrainTimes,
    /// `/admin/v1/rooms`, `/admin/v1/peers`.
    pub questions: Questions,
    /// `/admin/v1/rooms/{room}/recorder`.
    pub recordings: RecordedRooms,
    /// `/admin/v1/kick`, `/admin/v1/bans` and the like.
    pub moderation: Moderators,
    /// `/admin/v1/version`, `/admin/v1/limits`.
    pub facts: Arc<ServerFacts>,
    /// `/admin/v1/reload`: one at a time.
    pub reload: mpsc::Sender<ReloadRequest>,
    /// `/admin/v1/tickets`.
    pub tickets: Tickets,
}

/// How the server goes when it is told to.
#[derive(Debug, Clone, Copy)]
pub struct DrainTimes {
    /// From the call to the end, at most.
    pub deadline: Duration,
    /// The clients' departures are spread over this.
    pub spread: Duration,
}

impl From<&Settings> for DrainTimes {
    fn from(settings: &Settings) -> Self {
        let server = &settings.server;
        Self { deadline: server.drain_deadline_ms.get(), spread: server.drain_ms.get() }
    }
}

/// Asks for a reload; the answer goes there: what has changed, or why nothing has.
#[derive(Debug)]
pub struct ReloadRequest(pub oneshot::Sender<Result<Reloaded, String>>);

/// What a reload has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reloaded {
    /// The keys that have another value now.
    pub changed: Vec<String>,
    /// The keys that have another value there, and will have it here after a restart.
    pub restart: Vec<String>,
}
