//! `[limits]`: what one peer, one room and one server may use.

use std::time::Duration;

use super::{kind::Kind, section::section};

const MIB: i64 = 1024 * 1024;

section! {
    /// What one peer, one room and one server may use. `welcome` tells clients, `/metrics` exports them.
    Limits = "limits" {
        /// Longest message a client may send; a longer one is refused at its header and the connection closed with 1009.
        /// An offer has 2 to 10 kB; 64 KiB leave room for many media sections.
        frame_bytes: usize = 65_536, Kind::octets(1024, 16 * MIB);

        /// Octets that may wait for a peer that reads slowly; beyond them its connection is reset.
        /// 256 KiB, four of the longest messages, make 10 000 slow readers cost at most 2.5 GiB.
        queue_bytes: usize = 262_144, Kind::octets(4096, 256 * MIB);

        /// Frames that may wait for a peer that reads slowly; beyond them its connection is reset.
        /// A mesh of ten peers sends its newcomer about 100 at once; 256 leave twice that.
        queue_frames: usize = 256, Kind::count(16, 1_000_000, "frames");

        /// Fragments (RFC 6455 section 5.4) one message may come in.
        /// 1024 let a client send 64 octets at a time, and end those who send empty fragments for ever.
        fragments: usize = 1024, Kind::count(1, 1_000_000, "fragments");

        /// Longest `meta` of a peer, as JSON text.
        /// 4 KiB hold a name, a colour and a few flags; every newcomer gets everybody's.
        meta_bytes: usize = 4096, Kind::octets(2, MIB);

        /// Longest name of a room, in UTF-8.
        /// 128 octets hold a UUID, a path or a title, and keep log lines readable.
        room_name_bytes: usize = 128, Kind::octets(1, 1024);

        /// Peers in one room; the next gets `room_full`.
        /// 10 is where a full mesh of media ends to work: each sends its video nine times.
        peers_per_room: usize = 10, Kind::count(1, 10_000, "peers");

        /// Rooms on this server; the next gets `room_limit`.
        /// 10 000, as many as connections, so that it only stops what makes rooms without end.
        rooms: usize = 10_000, Kind::count(1, 1_000_000, "rooms");

        /// Peers that one `signal` may name; a longer list is `invalid_message`.
        /// 64 are more than a room holds by default; to all of a larger one, `"*"` says it shorter.
        recipients: usize = 64, Kind::count(1, 10_000, "peers");

        /// Depth to which JSON from clients may be nested.
        /// WebRTC's own messages have 4 levels; deep nesting only serves to exhaust the stack of who parses it.
        json_depth: usize = 32, Kind::count(2, 128, "levels");

        /// Frames kept for a resumable peer that does not acknowledge; beyond them the oldest are dropped.
        /// 512, twice `queue_frames`: a peer that was cut for slowness can still resume completely.
        resume_frames: usize = 512, Kind::count(1, 1_000_000, "frames");

        /// Octets kept for a resumable peer that does not acknowledge; beyond them the oldest frames are dropped.
        /// 512 KiB, twice `queue_bytes`, for the same reason.
        resume_bytes: usize = 524_288, Kind::octets(1024, 512 * MIB);

        /// Time the seat of a resumable peer is kept when its socket is gone.
        /// 30 s outlast a change of networks; the others wait for it no longer than a person would.
        resume_window_ms: u64 = 30_000, Kind::milliseconds(10);

        /// Time a connection has to join a room; then it is closed with 4000.
        /// 10 s suffice for a slow phone, and connections that are no peers do not pile up.
        join_timeout_ms: u64 = 10_000, Kind::milliseconds(10);

        /// Time the server gives itself to answer a `join`; then the client gets `internal`.
        /// A join takes well below a millisecond: 5 s mean that an actor is gone.
        join_reply_ms: u64 = 5000, Kind::milliseconds(10);
    }
}

impl Limits {
    /// [`Self::join_timeout_ms`].
    #[must_use]
    pub fn join_timeout(&self) -> Duration {
        Duration::from_millis(self.join_timeout_ms)
    }

    /// [`Self::resume_window_ms`].
    #[must_use]
    pub fn resume_window(&self) -> Duration {
        Duration::from_millis(self.resume_window_ms)
    }

    /// [`Self::join_reply_ms`].
    #[must_use]
    pub fn join_reply(&self) -> Duration {
        Duration::from_millis(self.join_reply_ms)
    }
}
