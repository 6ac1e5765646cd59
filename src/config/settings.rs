//! All sections together.

use serde::{Deserialize, Serialize};

use super::{
    auth::Auth,
    cluster::Cluster,
    health::Health,
    heartbeat::Heartbeat,
    http::Http,
    ice::Ice,
    limits::Limits,
    log::Log,
    ops::Ops,
    recorder::Recorder,
    section::{Key, Section},
    server::Server,
    state::State,
    stun::Stun,
    tls::Tls,
    watchdog::Watchdog,
    webhooks::Webhooks,
};

/// Every section, in the order of the documents.
pub(super) const SECTIONS: [&Section; 16] = [
    &Server::SECTION,
    &Tls::SECTION,
    &Ops::SECTION,
    &Http::SECTION,
    &Auth::SECTION,
    &Limits::SECTION,
    &Heartbeat::SECTION,
    &Log::SECTION,
    &Health::SECTION,
    &Watchdog::SECTION,
    &Ice::SECTION,
    &Stun::SECTION,
    &Webhooks::SECTION,
    &Recorder::SECTION,
    &State::SECTION,
    &Cluster::SECTION,
];

/// Everything that can be configured. Durations are in milliseconds (`_ms`), sizes in bytes (`_bytes`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The public listener, its connections and how the process ends.
    pub server: Server,
    /// TLS on the public listener.
    pub tls: Tls,
    /// The operator's listener.
    pub ops: Ops,
    /// Requests.
    pub http: Http,
    /// Who may come in.
    pub auth: Auth,
    /// What one peer, one room and one server may use.
    pub limits: Limits,
    /// How dead and stalled connections are found.
    pub heartbeat: Heartbeat,
    /// Logging.
    pub log: Log,
    /// The periodic checks.
    pub health: Health,
    /// How a server that hangs is found and ended.
    pub watchdog: Watchdog,
    /// STUN and TURN servers for the clients.
    pub ice: Ice,
    /// The STUN responder of our own.
    pub stun: Stun,
    /// Who is told what happens in rooms.
    pub webhooks: Webhooks,
    /// What is remembered of what went on in rooms.
    pub recorder: Recorder,
    /// What outlives the process.
    pub state: State,
    /// Rooms that span nodes.
    pub cluster: Cluster,
}

impl Settings {
    /// Whether clients speak TLS, be it with this server or with a proxy before it.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.http.behind_tls || self.tls.files().is_some()
    }

    /// `limits.parked_sessions`, where it says how many, or else as many as there may be connections.
    #[must_use]
    pub fn most_parked(&self) -> usize {
        if self.limits.parked_sessions == 0 { self.server.max_connections } else { self.limits.parked_sessions }
    }
}

/// Every key of every section.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// Whether that variable sets this key, given as `section.key`.
#[must_use]
pub fn sets(variable: &str, key: &str) -> bool {
    keys().any(|known| known.path() == key && (known.plain == Some(variable) || known.variable() == variable))
}
