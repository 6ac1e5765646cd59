//! `[limits]`: what one peer, one room and one server may use.

use super::{kind::Kind, milliseconds::Milliseconds, section::section};

const MIB: i64 = 1024 * 1024;
/// What a process may use whose machine does not say.
const MEMORY_UNKNOWN: u64 = 512 << 20;
/// Less than this is no budget: the server's own tables and buffers change by more.
const MEMORY_LEAST: usize = 16 << 20;
/// The largest budget.
const MEMORY_MOST: i64 = 1 << 42;
/// Sockets that one address may have beside its WebSocket connections.
const HTTP_PER_ADDRESS: usize = 256;

section! {
    /// What one peer, one room and one server may use. `welcome` tells clients, `/metrics` exports them.
    Limits = "limits" {
        /// Longest message a client may send; a longer one is refused at its header and the connection closed with 1009.
        /// An offer has 2 to 10 kB; 64 KiB leave room for many media sections.
        frame_bytes: usize = 65_536, Kind::bytes(1024, 16 * MIB), exported, in_welcome;

        /// Bytes that may wait for a peer that reads slowly. Each sender may have one message and an equal share of them waiting
        /// (one for each of `peers_per_room`, and one that is the server's own); beyond, it is read no further for a while, and
        /// then told `peer_busy`.
        /// 768 KiB are a share of 70 kB, one of the longest messages, for each of ten peers.
        queue_bytes: usize = 786_432, Kind::bytes(4096, 256 * MIB), exported, in_welcome;

        /// Frames that may wait for a peer that reads slowly, in equal shares as above.
        /// A mesh of ten peers sends its newcomer about 100 at once; 256 leave twice that.
        queue_frames: usize = 256, Kind::count(16, 1_000_000, "frames"), exported, in_welcome;

        /// Time for which a connection is read no further in one go because peers have no room for what it sent; then these do
        /// not get it, and it is told `peer_busy`.
        /// 1 s is enough for a reader of 1 Mbit/s to take its sender's share, and soon enough for people.
        busy_pause_ms: Milliseconds = Milliseconds(1000), Kind::milliseconds(10).usual(100, 10_000), exported, in_welcome;

        /// Time for which what may wait for a peer has to be in use before the peer is ended as a slow consumer, if it reads less
        /// than 1 Mbit/s meanwhile.
        /// 5 s are no burst any more: at that pace a negotiation in a room takes longer than people wait.
        slow_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(50).usual(1000, 60_000), exported;

        /// Fragments (RFC 6455 section 5.4) one message may come in.
        /// 1024 let a client send 64 bytes at a time, and end those who send empty fragments for ever.
        fragments: usize = 1024, Kind::count(1, 1_000_000, "fragments"), exported;

        /// Longest `meta` of a peer, as JSON text.
        /// 4 KiB hold a name, a colour and a few flags; every newcomer gets everybody's.
        meta_bytes: usize = 4096, Kind::bytes(2, MIB).usual(128, MIB), exported, in_welcome;

        /// Longest name of a room, in UTF-8.
        /// 128 bytes hold a UUID, a path or a title, and keep log lines readable.
        room_name_bytes: usize = 128, Kind::bytes(1, 1024).usual(8, 1024), exported, in_welcome;

        /// Peers in one room; the next gets `room_full`.
        /// 10 is where a full mesh of media ends to work: each sends its video nine times.
        peers_per_room: usize = 10, Kind::count(1, 10_000, "peers"), exported, in_welcome;

        /// Rooms on this server; the next gets `room_limit`.
        /// 10 000, as many as connections, so that it only stops what makes rooms without end.
        rooms: usize = 10_000, Kind::count(1, 1_000_000, "rooms"), exported;

        /// Peers that one `signal` may name; a longer list is `invalid_message`.
        /// 64 are more than a room holds by default; to all of a larger one, `"*"` says it shorter.
        recipients: usize = 64, Kind::count(1, 10_000, "peers"), exported, in_welcome;

        /// Depth to which JSON from clients may be nested.
        /// WebRTC's own messages have 4 levels; deep nesting only serves to exhaust the stack of who parses it.
        json_depth: usize = 32, Kind::count(2, 128, "levels"), exported, in_welcome;

        /// Time a connection has to join a room; then it is closed with 4000.
        /// 10 s suffice for a slow phone, and connections that are no peers do not pile up.
        join_timeout_ms: Milliseconds = Milliseconds(10_000), Kind::milliseconds(10).usual(1000, 600_000), exported, in_welcome;

        /// Time a connection may be in no room in all, as long as it tries again after each `retryAfterMs`.
        /// 10 min are as long as somebody waits for a seat; who waits longer may connect anew.
        join_wait_ms: Milliseconds = Milliseconds(600_000), Kind::milliseconds(10), exported;

        /// Time the server gives itself to answer a `join`; then the client gets `internal`.
        /// A join takes well below a millisecond: 5 s mean that an actor is gone.
        join_reply_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(10).usual(500, 60_000), exported;

        /// Frames kept for a resumable peer that does not acknowledge; beyond them the oldest are dropped. While
        /// its client is away, each sender may fill an equal share of them, as with `queue_frames`, and is told `peer_busy` then.
        /// 512, twice `queue_frames`: a peer that was cut for slowness can still resume completely.
        resume_frames: usize = 512, Kind::count(1, 1_000_000, "frames"), exported, in_welcome;

        /// Bytes kept for a resumable peer that does not acknowledge; beyond them the oldest frames are dropped.
        /// 1.5 MiB, twice `queue_bytes`, for the same reason.
        resume_bytes: usize = 1_572_864, Kind::bytes(1024, 512 * MIB), exported, in_welcome;

        /// Time the seat of a resumable peer is kept when its socket is gone.
        /// 30 s outlast a change of networks; the others wait for it no longer than a person would.
        resume_window_ms: Milliseconds = Milliseconds(30_000), Kind::milliseconds(10).usual(1000, 3_600_000), exported, in_welcome;

        /// Sessions that may be parked at a time; beyond them, the address that holds most (IPv6: the /48) loses the one that
        /// is away for longest. 0: as many as `server.max_connections`, so that all may lose their line at once.
        parked_sessions: usize = 0, Kind::count(0, 1_000_000, "sessions"), exported;

        /// Seats in one room that may be kept for clients of one address (IPv6: of one /48) that are away; beyond them, the
        /// one that is away for longest goes. 0: one less than `peers_per_room`, so that nobody fills a room by hanging up.
        parked_per_room: usize = 0, Kind::count(0, 10_000, "peers"), exported;

        /// Resume tokens that are not good that one address may try in a minute, and that may be tried on one session; then
        /// they get `rate_limited`, and good ones are taken all the same.
        /// 60 are more than slips; nobody guesses 128 bits, but whoever tries is to be seen.
        resume_secrets: u32 = 60, Kind::count(1, 1_000_000, "tokens a minute"), exported;

        /// Frames a second that one connection may send for long, control frames and fragments included; beyond, it is
        /// read no faster. 50 are ten times what a mesh of ten peers needs once it stands.
        frame_rate: u32 = 50, Kind::count(1, 1_000_000, "frames a second"), exported, in_welcome;

        /// Frames that one connection may send at once, if it was quiet before.
        /// The tenth peer of a mesh sends about 100 at once; 200 leave twice that.
        frame_burst: u32 = 200, Kind::count(1, 1_000_000, "frames"), exported, in_welcome;

        /// Bytes a second that one connection may send for long, headers of frames included; beyond, it is read no faster.
        /// 128 KiB are two of the longest messages a second: a peer of ten can make all its offers anew every five seconds.
        byte_rate: usize = 131_072, Kind::count(1024, 1_000_000_000, "bytes a second"), exported, in_welcome;

        /// Bytes that one connection may send at once, if it was quiet before.
        /// 1 MiB: the tenth peer of a mesh sends nine offers at once, 576 KiB if each is as long as `frame_bytes` lets it be,
        /// and some 100 candidates of 250 bytes; that leaves 400 KiB for what it sends before and after.
        byte_burst: usize = 1_048_576, Kind::count(1024, 1_000_000_000, "bytes at once"), exported, in_welcome;

        /// Bytes a second that all connections of one address may send for long; beyond, they are read no faster, each as
        /// fast as the others. Of IPv6 as with all limits of an address below.
        /// 8 MiB are 64 connections that send as fast as they may. A school of 2000 in rooms of ten that all make their calls
        /// anew once a minute sends 18 000 descriptions of 10 kB and 90 MB of candidates: half of that.
        byte_rate_per_address: usize = 8_388_608, Kind::count(1024, 1_000_000_000, "bytes a second"), exported, in_welcome;

        /// Bytes that all connections of one address may send at once, if it was quiet before.
        /// 320 MiB: a school of 2000 that comes back in pairs sends 2000 descriptions, 131 MB at 64 KiB each, and in rooms of ten
        /// 18 000, 180 MB at 10 kB each, and 45 MB of candidates. As `handshake_burst` lets 500 of them in at once, their 50
        /// rooms of ten may even send the longest there are, 295 MB, and those that follow, five a second, 3 MB a second.
        byte_burst_per_address: usize = 335_544_320, Kind::count(1024, 1_000_000_000, "bytes at once"), exported, in_welcome;

        /// Time for which a connection may send faster than `frame_rate` or `byte_rate` without a pause; then it is closed
        /// with 4002.
        /// 30 s are no burst any more: whatever sends like this is broken, or hostile.
        flood_timeout_ms: Milliseconds = Milliseconds(30_000), Kind::milliseconds(100).usual(1000, 600_000), exported;

        /// Handshakes a second from one address in the long run; beyond: 429. Of IPv6 one address is a /64, and the /56 and
        /// the /48 around it may do 4 and 16 times as much together; so it is with all limits of an address below.
        /// 5 are more than people can do, and slow down who only opens connections.
        handshake_rate: u32 = 5, Kind::count(1, 1_000_000, "handshakes a second"), exported;

        /// Handshakes from one address at once, if it was quiet before.
        /// 500, because a school is one address, and all of it comes back when its line does.
        handshake_burst: u32 = 500, Kind::count(1, 1_000_000, "handshakes"), exported;

        /// Other HTTP requests a second from one address in the long run, probes excepted; beyond: 429.
        /// 10 load the page once a second.
        http_rate: u32 = 10, Kind::count(1, 1_000_000, "requests a second"), exported;

        /// Other HTTP requests from one address at once, if it was quiet before.
        /// 100 load the page for a dozen people behind one address.
        http_burst: u32 = 100, Kind::count(1, 1_000_000, "requests"), exported;

        /// Connections of one address at a time; the next gets 429.
        /// 2000 hold a large school, and leave four fifths of the server to others.
        connections_per_address: usize = 2000, Kind::count(1, 1_000_000, "connections"), exported;

        /// Longest head of a request (the request line and all header lines); a longer one is refused with 431.
        /// 16 KiB are twice what proxies let through by default, and what one socket without a request may cost.
        head_bytes: usize = 16_384, Kind::bytes(1024, MIB), exported;

        /// Sockets of the public listener at a time, in whatever state, WebSocket connections included; the next gets 503,
        /// or is closed. 0 means `server.max_connections` and 1024 more, for those that come, ask for a page or are
        /// refused. Fewer, if the process may not open as many files: the server says so at its start.
        sockets: usize = 0, Kind::count(0, 2_000_000, "sockets"), exported;

        /// Sockets of one address at a time, as above; a proxy on `http.trusted_proxies` may have any number.
        /// 0 means `limits.connections_per_address` and 256 more: its clients load the page while others are connected.
        sockets_per_address: usize = 0, Kind::count(0, 2_000_000, "sockets"), exported;

        /// Rooms at a time that one address has opened; the next gets `room_limit`.
        /// 1000 are its 2000 connections in pairs, and a tenth of the server's rooms.
        rooms_per_address: usize = 1000, Kind::count(1, 1_000_000, "rooms"), exported;

        /// Joins a minute from one address; the next gets `rate_limited`.
        /// 6000 let a school of 2000 change rooms three times in a minute.
        joins_per_minute: u32 = 6000, Kind::count(1, 1_000_000, "joins a minute"), exported;

        /// Joins a minute from one address to rooms that nobody of that address is in; the next gets `rate_limited`.
        /// 120, because people do not enter two new rooms a second; at that pace nobody finds rooms by trying names.
        /// Counted before the room is looked for: what is answered does not depend on whether there is one.
        new_rooms_per_minute: u32 = 120, Kind::count(1, 1_000_000, "joins a minute"), exported;

        /// Such joins at once, if the address was quiet before.
        /// 1000, because a school is one address, and its 2000 come back in pairs.
        new_rooms_burst: u32 = 1000, Kind::count(1, 1_000_000, "joins"), exported;

        /// Joins a minute from one address that a room refuses (full, locked, or with a ban on whoever asks; also those that find
        /// no place for another room); then that address's joins get `rate_limited`, and no room is looked for.
        /// 600 are 50 clients that wait for a seat as they are told to, each trying once in five seconds.
        refused_joins_per_minute: u32 = 600, Kind::count(1, 1_000_000, "joins a minute"), exported;

        /// Bans that one room may have; the next is refused, and so is the kick that it came with.
        /// 64 are more people than one room has to keep out at a time: beyond that, a token is what keeps people out.
        bans_per_room: usize = 64, Kind::count(1, 10_000, "bans"), exported;

        /// Rooms that are gone, and whose lock or bans are still in force; beyond them, that of the room that is gone for
        /// longest is lost.
        /// 1000, a tenth of the rooms: with all the bans that each may have they take some 16 MB.
        moderated_rooms: usize = 1000, Kind::count(1, 1_000_000, "rooms"), exported;

        /// Fresh sets of ICE servers (`ice`) a minute that one session may ask for; the next gets `rate_limited`.
        /// 6: a client asks before its credentials end, once in hours, or after a change of networks.
        ice_per_minute: u32 = 6, Kind::count(1, 1_000_000, "requests a minute"), exported;

        /// Time between two `report` frames of one session, on average: one may come sooner, that with which a stay ends; the
        /// next gets `rate_limited`. 0: no reports are taken, and `welcome.features` does not name them.
        /// 5 s are soon enough for an operator to see a broken room, and for a room of ten no more than two frames a second.
        report_interval_ms: Milliseconds = Milliseconds(5000), Kind::milliseconds(0).usual(1000, 600_000), exported, in_welcome;

        /// Events of one `report`; a longer list is `invalid_message`.
        /// 32 hold three for each peer of a full room of ten, and some of the client's own.
        report_events: usize = 32, Kind::count(1, 1000, "events"), exported, in_welcome;

        /// Addresses (IPv6: /64) that are remembered for the limits above, and half as many /56 and /48 each.
        /// 100 000 cost some 25 MB, and twice that if all are IPv6. With more in play, a /64 or /56 is counted by what is
        /// around it, and the others share 1024 entries: whoever brings that many gets no more by that.
        addresses: usize = 100_000, Kind::count(1, 10_000_000, "addresses"), exported;

        /// Memory that may be held on behalf of clients: what waits to be read, to be handled, to be written and to be
        /// acknowledged, the kernel's part for TCP included. When it is nearly used, new connections are refused
        /// (those of addresses that hold few last), and what others hold most is taken back, their connections at last.
        /// Request heads that do not end may hold a quarter of it.
        /// 0 means three fifths of what the process may use (its cgroup's limit, else the machine's memory): the rest is the
        /// program's own, and what the allocator and the kernel need beside. Less than 16 MiB count as 16 MiB.
        memory_bytes: usize = 0, Kind::bytes(0, MEMORY_MOST).usual(0, MEMORY_MOST), exported;

        /// Whether the limits per address leave out clients that connect from this machine (`127.0.0.0/8` and `::1`).
        /// Off, because a proxy on this machine connects from there, too: its clients would have no limits. For load tests.
        exempt_loopback: bool = false, Kind::Switch;
    }
}

impl Limits {
    /// [`Self::memory_bytes`], where it says how many, or else a share of what the process may use; where nobody says how
    /// much that is, it is taken for little.
    #[must_use]
    pub fn most_memory(&self, machine: Option<u64>) -> usize {
        let share = usize::try_from(machine.unwrap_or(MEMORY_UNKNOWN) / 5 * 3).unwrap_or(usize::MAX);
        let wanted = if self.memory_bytes == 0 { share } else { self.memory_bytes };
        wanted.clamp(MEMORY_LEAST, usize::try_from(MEMORY_MOST).unwrap_or(usize::MAX))
    }

    /// Whether clients may report how they are doing.
    #[must_use]
    pub fn takes_reports(&self) -> bool {
        self.report_interval_ms.0 > 0
    }

    /// [`Self::sockets_per_address`], where it says how many, or else some more than connections.
    #[must_use]
    pub fn most_sockets_per_address(&self) -> usize {
        match self.sockets_per_address {
            0 => self.connections_per_address.saturating_add(HTTP_PER_ADDRESS),
            configured => configured,
        }
    }

    /// [`Self::parked_per_room`], where it says how many, or else all seats but one; of a single seat, that one.
    #[must_use]
    pub fn most_parked_per_room(&self) -> usize {
        if self.parked_per_room == 0 { (self.peers_per_room - 1).max(1) } else { self.parked_per_room }
    }
}
