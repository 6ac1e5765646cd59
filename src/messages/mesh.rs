//! What a room tells of its mesh: who has a connection to which peer, as its peers report it.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{
    protocol::{CandidateType, PairFailure, PeerId},
    telemetry::PairState,
};

/// Where the answer of a room goes; dropped if the room is gone. `None`: nothing is known of its mesh, since nobody reports, or the
/// room has too many peers.
pub type MeshAnswer = oneshot::Sender<Option<MeshView>>;

/// The mesh of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshView {
    /// In joining order.
    pub peers: Vec<MeshPeer>,
    /// Each pair once, the one that joined first named first.
    pub pairs: Vec<MeshPair>,
}

/// A peer of a mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshPeer {
    /// Its public name.
    pub peer: PeerId,
    /// Whether it has reported anything of its pairs.
    pub reports: bool,
    /// Whether its client is away.
    pub away: bool,
    /// To how many others it is connected.
    pub reaches: usize,
    /// Whether it has reached some, and not all, for too long.
    pub is_fractured: bool,
}

/// Two peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshPair {
    /// Who they are.
    pub peers: [PeerId; 2],
    /// What is known of their connection.
    pub state: PairState,
    /// What each of them says of it, if anything, in the same order.
    pub told: [Option<Told>; 2],
}

/// What a peer last said of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub verdict: Verdict,
    /// For how long it has said so.
    pub since: Duration,
    /// How long ago it said anything of the pair.
    pub heard: Duration,
    /// The latest round trip to the other peer, in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// How often ICE was restarted.
    pub restarts: u32,
}

/// How it stands with a pair, as one of the two sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is being made.
    Trying,
    /// It stands, by this path.
    Connected(CandidateType),
    /// It does not, and that is why.
    Failed(PairFailure),
    /// It was closed on purpose.
    Closed,
}
