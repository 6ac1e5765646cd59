//! Nodes, and the lives of their processes.

use std::{fmt, sync::Arc};

/// A node's name: `server.node`, or the host's. Unique in a cluster. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Arc<str>);

impl NodeName {
    /// A name that the configuration has checked.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One life of a node's process: a process that starts anew has a higher number, and none of what the one before it owned.
/// Seats name it as their owner, and what another incarnation says of them is void.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// Which node.
    pub node: NodeName,
    /// Counts its starts; never used twice, whatever Redis has lost.
    pub number: u64,
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.node, self.number)
    }
}
