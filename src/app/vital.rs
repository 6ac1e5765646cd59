//! What the server cannot do without, and the watch over it.

use actix::Addr;
use actix_rt::{Arbiter, ArbiterHandle};
use tokio::sync::watch;

use super::error::StartError;
use crate::{
    config::Settings,
    http::{public::health::Subjects, socket::sockets::Sockets},
    ice_checks::IceHealth,
    lifecycle::Lifecycle,
    liveness::{Liveness, Part, Subject},
    messages::{send_unbounded, supervisor::Ping},
    metrics::Exposition,
    nodes::ClusterStatus,
    supervisor::Supervisor,
    watchdog,
};

/// The threads beside the one that calls, and the actor.
pub(super) struct Vital<'a> {
    pub(super) workers: Vec<ArbiterHandle>,
    pub(super) metrics: ArbiterHandle,
    pub(super) accept: ArbiterHandle,
    pub(super) supervisor: &'a Addr<Supervisor>,
}

impl Vital<'_> {
    /// Starts the watch. What it finds can be read from `liveness`.
    pub(super) fn watch(self, settings: &Settings, liveness: Liveness) -> Result<(), StartError> {
        watchdog::start(settings.into(), self.subjects(), liveness)
            .map_err(|source| StartError::Machine { what: "the watchdog", source })
    }

    /// The workers are numbered as [`crate::arbiter::Arbiters`] has them, for the shutdown to find them again.
    fn subjects(self) -> Vec<Subject> {
        let workers =
            self.workers.into_iter().enumerate().map(|(at, worker)| Subject::arbiter(Part::Worker(at), worker));
        let supervisor = self.supervisor.clone().recipient();
        let others = [
            Subject::arbiter(Part::Main, Arbiter::current()),
            Subject::arbiter(Part::Metrics, self.metrics),
            Subject::arbiter(Part::Accept, self.accept),
            Subject::new(Part::Supervisor, move |answer| {
                // `false`: it is gone, and so is its answer.
                let _ = send_unbounded(&supervisor, Ping(Box::new(move || answer.give())));
            }),
        ];
        workers.chain(others).collect()
    }
}

/// What the health checks look at.
pub(super) fn subjects(
    (metrics, sockets, ice): (Exposition, Sockets, watch::Receiver<IceHealth>),
    liveness: &Liveness,
    lifecycle: &Lifecycle,
    cluster: Option<ClusterStatus>,
) -> Subjects {
    Subjects { metrics, sockets, ice, liveness: liveness.clone(), lifecycle: lifecycle.clone(), cluster }
}
