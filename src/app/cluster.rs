//! This process as a node of a cluster, where it is one.

use std::time::{Duration, Instant};

use actix::Addr;
use actix_rt::Arbiter;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    arbiter::Arbiters,
    cluster::NodeName,
    config::Settings,
    messages::{
        cluster::{Ask, FarInit, NodePort},
        send_unbounded,
    },
    nodes::{self, ClusterConfig, ClusterError, ClusterStatus, Link},
    room,
    supervisor::{SpanConfig, Supervisor},
};

/// At the end of a drain the others hear of who has left, if Redis takes it within this time; else they see a node that is gone.
const HEARD_WITHIN: Duration = Duration::from_secs(2);
/// How often is looked whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A supervisor that will ask the cluster, and what it asks until somebody listens.
pub(super) struct Joining {
    config: ClusterConfig,
    asked: UnboundedReceiver<Ask>,
}

/// Makes this a node's supervisor, if that is configured.
pub(super) fn prepare(
    supervisor: Supervisor,
    settings: &Settings,
    arbiters: &Arbiters,
) -> (Supervisor, Option<Joining>) {
    let (Some(config), Some(name)) = (ClusterConfig::new(settings), settings.server.node_name()) else {
        return (supervisor, None);
    };
    let (node, asked) = NodePort::new();
    let arbiters = arbiters.clone();
    let open_port = Box::new(move |init: FarInit| {
        let arbiter = arbiters.place(init.asks.room()).map_or_else(Arbiter::current, |(_, arbiter)| arbiter);
        room::open_port(&arbiter, init)
    });
    let answers_within = settings.limits.join_reply_ms.get() / 2;
    let span = SpanConfig { name: NodeName::new(&name), node, bounds: settings.into(), answers_within, open_port };
    (supervisor.in_cluster(span), Some(Joining { config, asked }))
}

/// Starts the thread that speaks to Redis.
pub(super) fn start(joining: Joining, supervisor: &Addr<Supervisor>) -> Result<ClusterStatus, ClusterError> {
    let told = supervisor.clone().recipient();
    nodes::start(joining.config, joining.asked, move |what| send_unbounded(&told, what))
}

/// After the drain: waits until the others know who has left. By `deadline`, whatever is left.
pub(super) async fn leave(status: Option<&ClusterStatus>, deadline: Instant) {
    let deadline = deadline.min(Instant::now() + HEARD_WITHIN);
    let is_heard = |status: &ClusterStatus| {
        let figures = status.get();
        figures.link == Link::Away || (figures.rooms == 0 && figures.waiting == 0)
    };
    while status.is_some_and(|status| !is_heard(status)) && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
