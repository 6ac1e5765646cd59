//! The supervisor's end of webhooks, and the shutdown's.

use std::{
    io,
    path::PathBuf,
    sync::mpsc,
    time::{Instant, SystemTime},
};

use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    account::{Account, Bounds},
    attempt::Receiver,
    dispatcher::{self, Start, ToDispatcher},
    event::{Happening, Person, RoomEnd, RoomEvent},
    queue::QueueRules,
    report,
    signature::SigningKeys,
};
use crate::{
    config::{Settings, WebhookEvent},
    outbound::{OutboundClient, OutboundLimits, TrustError},
    protocol::{LeaveReason, RoomName},
    telemetry::WebhookDrop,
};

/// Why webhooks do not start.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The secret is not there.
    #[error("cannot use the secret in {} (webhooks.secret_file): {source}", path.display())]
    Secret {
        /// What was tried.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Nobody could prove to be the receiver.
    #[error("cannot check who the receiver is (webhooks.ca_file): {0}")]
    Trust(#[from] TrustError),
    /// The system gives no thread.
    #[error("cannot start the threads of webhooks: {0}")]
    Thread(io::Error),
}

/// Takes what happens in rooms, for the receiver. Nothing in it waits.
#[derive(Debug)]
pub struct Webhooks {
    events: Vec<WebhookEvent>,
    sequence: u64,
    account: Account,
    bounds: Bounds,
    dispatcher: mpsc::Sender<ToDispatcher>,
}

/// Has what waits delivered when the server ends.
#[derive(Debug)]
pub struct Ending(mpsc::Sender<ToDispatcher>);

impl Webhooks {
    /// Starts the threads, if a receiver is configured.
    ///
    /// # Errors
    /// There is no secret, no certificate or no thread.
    pub fn start(settings: &Settings) -> Result<Option<(Self, Ending)>, WebhookError> {
        let webhooks = &settings.webhooks;
        if !webhooks.are_on() {
            return Ok(None);
        }
        let secret_file = webhooks.secret_file.clone();
        let keys = SigningKeys::read(&secret_file)
            .map_err(|source| WebhookError::Secret { path: secret_file.clone(), source })?;
        let limits = OutboundLimits {
            timeout: webhooks.timeout_ms.get(),
            answer_bytes: webhooks.answer_bytes as u64,
            idle_connections: webhooks.parallel,
        };
        let account = Account::default();
        let receiver = Receiver {
            client: OutboundClient::new(limits, &webhooks.ca_file, webhooks.url.starts_with("https:"))?,
            url: webhooks.url.as_str().into(),
            node: settings.server.node_name().unwrap_or_default().into(),
            run: Uuid::new_v4().simple().to_string().into(),
            account: account.clone(),
        };
        let start = Start { rules: QueueRules::from(settings), receiver, keys, secret_file };
        let dispatcher = dispatcher::start(start).map_err(WebhookError::Thread)?;
        let ending = Ending(dispatcher.clone());
        let bounds = Bounds { events: webhooks.queue_events, bytes: webhooks.queue_bytes };
        let events = webhooks.events.clone();
        Ok(Some((Self { events, sequence: 0, account, bounds, dispatcher }, ending)))
    }

    /// The first peer of a room is about to be in it.
    pub fn room_opened(&mut self, room: &RoomName) {
        self.tell(room, Happening::RoomOpened);
    }

    /// The room is no more.
    pub fn room_closed(&mut self, room: &RoomName, end: RoomEnd) {
        self.tell(room, Happening::RoomClosed(end));
    }

    /// A peer is in a room.
    pub fn peer_joined(&mut self, room: &RoomName, person: Person) {
        self.tell(room, Happening::PeerJoined(person));
    }

    /// It is no longer there.
    pub fn peer_left(&mut self, room: &RoomName, person: Person, reason: LeaveReason) {
        self.tell(room, Happening::PeerLeft(person, reason));
    }

    /// Its connection is gone, and its seat is kept.
    pub fn peer_away(&mut self, room: &RoomName, person: Person) {
        self.tell(room, Happening::PeerAway(person));
    }

    /// It is back in its seat.
    pub fn peer_back(&mut self, room: &RoomName, person: Person) {
        self.tell(room, Happening::PeerBack(person));
    }

    fn tell(&mut self, room: &RoomName, happening: Happening) {
        if !self.events.contains(&happening.event()) {
            return;
        }
        self.sequence += 1;
        let (event, person, reason) = happening.parts();
        let (sequence, room) = (self.sequence, room.clone());
        let told = RoomEvent { sequence, event, room, person, reason, at: SystemTime::now(), since: Instant::now() };
        let bytes = told.bytes();
        // The dispatcher is there as long as this is, unless it panicked: then nothing is ever taken off, and the queue is full.
        if !self.account.admit(bytes, self.bounds) || self.dispatcher.send(ToDispatcher::Event(told)).is_err() {
            report::dropped(&self.account, WebhookDrop::QueueFull, 1);
        }
    }
}

impl Ending {
    /// Delivers what waits, until then at the latest, and drops the rest. How many events the receiver has not got, since the start.
    /// Asked again, only the later question is answered.
    pub async fn finish(&self, until: Instant) -> u64 {
        let (answer, answered) = oneshot::channel();
        // A dispatcher that is gone answers by that; what it had is counted as it was.
        let _ = self.0.send(ToDispatcher::Finish { until, answer });
        answered.await.unwrap_or_default()
    }
}
