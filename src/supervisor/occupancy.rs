//! How many rooms hold how many peers.

/// Fuller rooms than this share the last entry: a mesh of more peers than that is not a mesh that works, and the vector
/// travels every second.
const ENTRIES_MAX: usize = 64;

/// Rooms by their number of peers, kept with every change, so that a census scans nothing.
#[derive(Debug)]
pub(super) struct Occupancy {
    rooms: Vec<u64>,
}

impl Occupancy {
    /// Of rooms that hold at most `peers_per_room` peers.
    pub(super) fn new(peers_per_room: usize) -> Self {
        Self { rooms: vec![0; peers_per_room.clamp(1, ENTRIES_MAX)] }
    }

    /// One room went from `from` peers to `to`; 0 means that it is not there.
    pub(super) fn moved(&mut self, from: usize, to: usize) {
        if let Some(at) = self.entry(from) {
            self.rooms[at] -= 1;
        }
        if let Some(at) = self.entry(to) {
            self.rooms[at] += 1;
        }
    }

    /// Entry `n - 1`: rooms with exactly `n` peers; the last entry holds the fuller ones, too.
    pub(super) fn counts(&self) -> &[u64] {
        &self.rooms
    }

    fn entry(&self, peers: usize) -> Option<usize> {
        peers.checked_sub(1).map(|at| at.min(self.rooms.len() - 1))
    }
}
