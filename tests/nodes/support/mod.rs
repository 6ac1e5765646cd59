//! A redis-server of the test's own, and nodes.

pub(crate) mod node;
mod redis;

use std::time::Duration;

use switchboard::config::{Milliseconds, Settings};

pub(crate) use self::{node::TestNode, redis::TestRedis};

/// Longer than anything takes here, on a busy machine too.
pub(crate) const WITHIN: Duration = Duration::from_secs(20);

/// Of a cluster whose nodes are dead after three seconds, and where nothing fails because this machine is busy.
pub(crate) fn settings(redis: &TestRedis, node: &str) -> Settings {
    let mut settings = Settings::default();
    node.clone_into(&mut settings.server.node);
    settings.cluster.redis_url = redis.url();
    settings.cluster.node_timeout_ms = Milliseconds(3000);
    settings.cluster.redis_timeout_ms = Milliseconds(1000);
    settings.cluster.waiting_ms = Milliseconds(15_000);
    settings
}

impl TestRedis {
    /// Asks it something; its answer as it comes.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).expect("redis-server answers")
    }
}
