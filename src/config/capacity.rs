//! How many sockets this process may have: by its settings, and by how many files it may open.

use super::{auth::TOKEN_BYTES, settings::Settings};

/// Bytes that the TLS of one socket may hold: a record that comes, one that is decrypted, one that is to be written, and its state.
const TLS: u64 = 64 * 1024;
/// Files and sockets that are nobody's connection, whatever the number of threads: listeners, standard streams, the log
/// with a file that is being compressed, what is read below `/proc`, and a few to spare.
const OWN: usize = 40;
/// Descriptors of one thread's event loop.
const PER_THREAD: usize = 4;
/// Threads with an event loop beside the workers: main, metrics, accept.
const OTHER_THREADS: usize = 3;
/// Most sockets of the operator's listener: scrapes, probes and people are few.
const OPS: usize = 128;
/// Most sockets that are only taken to answer a probe or to refuse.
const RESERVE: usize = 64;
/// Sockets beside the WebSocket connections, for those that come, ask for a page, or are refused.
const HTTP: usize = 1024;
/// As many of them are kept, though this leaves fewer connections than are configured.
const FEWEST_HTTP: usize = 256;

/// Frames of one connection that are in none of its queues: a partial one, the fragments before it, and a signal whose receivers
/// have no room yet.
const FRAMES_HELD: usize = 3;
/// Bytes of a ban, with a user's name of usual length.
const BAN: usize = 256;
/// Of one session: the token of its handshake, and what another one grants, which takes no more than that one did.
const TOKENS_HELD: usize = 2;

/// How many sockets there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// WebSocket connections: `server.max_connections`, or what the descriptors allow.
    pub connections: usize,
    /// Sockets of the public listener, whatever they are: `limits.sockets`, or what the descriptors allow.
    pub sockets: usize,
    /// Sockets of the operator's listener.
    pub ops_sockets: usize,
    /// Sockets beyond all those, each for as long as a probe's answer or a refusal takes.
    pub reserve: usize,
    /// Whether the descriptors allow less than the settings ask for.
    pub short: bool,
}

impl Capacity {
    /// What these settings come to for a process that may open so many files (the soft `RLIMIT_NOFILE`).
    #[must_use]
    pub fn of(settings: &Settings, open_files: u64) -> Self {
        let (limits, most) = (&settings.limits, settings.server.max_connections);
        let files = usize::try_from(open_files).unwrap_or(usize::MAX).saturating_sub(own(settings));
        let (ops_sockets, reserve) = ((files / 16).clamp(8, OPS), (files / 16).clamp(8, RESERVE));
        let room = files.saturating_sub(ops_sockets + reserve).max(1);
        let wanted = if limits.sockets == 0 { most + HTTP } else { limits.sockets };
        let sockets = wanted.min(room);
        let http = if sockets < wanted || limits.sockets == 0 { fewest_http(sockets) } else { 0 };
        let connections = most.min(sockets.saturating_sub(http)).max(1);
        Self { connections, sockets, ops_sockets, reserve, short: sockets < wanted }
    }

    /// The settings as they are in force: what is configured, or the less that this process can hold, and in place of a 0
    /// that stands for something else what it stands for. `memory` is what the process may use.
    #[must_use]
    pub fn in_force(&self, configured: &Settings, memory: Option<u64>) -> Settings {
        let mut settings = configured.clone();
        settings.server.max_connections = self.connections;
        settings.limits.parked_sessions = settings.most_parked();
        let limits = &mut settings.limits;
        (limits.sockets, limits.sockets_per_address) = (self.sockets, limits.most_sockets_per_address());
        limits.parked_per_room = limits.most_parked_per_room();
        limits.memory_bytes = limits.most_memory(memory);
        settings
    }

    /// Descriptors that `server.max_connections` takes, with all else that a server needs.
    pub(super) fn needed(settings: &Settings) -> usize {
        own(settings) + OPS + RESERVE + settings.server.max_connections + FEWEST_HTTP
    }
}

impl Settings {
    /// Bytes that one socket may hold in the kernel, which doubles what it is asked for.
    #[must_use]
    pub fn socket_bytes(&self) -> u64 {
        2 * (self.heartbeat.send_buffer_bytes + self.heartbeat.receive_buffer_bytes) as u64
    }

    /// What the limits would let clients hold, all together: for each connection a queue that is full, a partial frame behind
    /// fragments, a signal that waits for its receivers, and the kernel's buffers; for each session, with or without a
    /// connection, a full resume buffer, and what its handshake brought along beside what it is granted; for each other socket a
    /// head; for each of all sockets its TLS; and for each room, there or remembered, all the bans that it may have.
    #[must_use]
    pub fn could_hold(&self) -> u64 {
        let limits = &self.limits;
        let connection = limits.queue_bytes + FRAMES_HELD * limits.frame_bytes;
        let session = limits.resume_bytes + TOKENS_HELD * TOKEN_BYTES;
        let (connections, sockets) = (self.server.max_connections, limits.sockets.max(self.server.max_connections));
        let sessions = connections.saturating_add(self.most_parked());
        let rooms = limits.rooms.min(sessions).saturating_add(limits.moderated_rooms);
        let all = [
            connections.saturating_mul(connection),
            sessions.saturating_mul(session),
            (sockets - connections).saturating_mul(limits.head_bytes),
            rooms.saturating_mul(limits.bans_per_room).saturating_mul(BAN),
        ];
        let tls = if self.tls.files().is_some() { TLS } else { 0 };
        let each = (sockets as u64).saturating_mul(self.socket_bytes() + tls);
        all.into_iter().fold(each, |sum, part| sum.saturating_add(part as u64))
    }
}

fn own(settings: &Settings) -> usize {
    OWN + PER_THREAD * (settings.server.worker_count() + OTHER_THREADS)
}

fn fewest_http(sockets: usize) -> usize {
    (sockets / 8).clamp(1, FEWEST_HTTP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(connections: usize) -> Settings {
        let mut settings = Settings::default();
        settings.server.max_connections = connections;
        settings.server.workers = 2;
        settings
    }

    #[test]
    fn with_descriptors_enough_the_settings_hold() {
        let capacity = Capacity::of(&settings(10_000), 20_000);
        assert_eq!((capacity.connections, capacity.sockets, capacity.short), (10_000, 11_024, false));
        assert_eq!((capacity.ops_sockets, capacity.reserve), (128, 64));
        let enough = Capacity::needed(&settings(10_000)) as u64;
        let capacity = Capacity::of(&settings(10_000), enough);
        assert_eq!((capacity.connections, capacity.sockets), (10_000, 10_256), "fewer for HTTP, and all connections");
        assert_eq!(Capacity::of(&settings(10_000), enough - 1).connections, 9999);
        assert_eq!(Capacity::of(&settings(10_000), u64::MAX).sockets, 11_024);
    }

    #[test]
    fn all_that_there_may_be_fits_into_the_descriptors() {
        for files in [0, 1, 64, 100, 256, 300, 1024, 4096, 10_255, 20_000] {
            let (settings, files) = (settings(10_000), usize::try_from(files).unwrap());
            let capacity = Capacity::of(&settings, files as u64);
            assert!(capacity.connections >= 1 && capacity.ops_sockets >= 8 && capacity.reserve >= 8, "{capacity:?}");
            let all = own(&settings) + capacity.sockets + capacity.ops_sockets + capacity.reserve;
            assert!(all <= files || files < 100, "{files}: {capacity:?}");
            assert!(capacity.connections < capacity.sockets || capacity.sockets == 1, "{files}: {capacity:?}");
            assert_eq!(capacity.short, files < 11_276, "{files}: {capacity:?}");
        }
        let few = Capacity::of(&settings(320), 300);
        assert!((150..250).contains(&few.connections), "{few:?}");
    }

    #[test]
    fn what_the_settings_say_of_sockets_is_taken_as_it_stands() {
        let mut settings = settings(100);
        settings.limits.sockets = 50;
        settings.limits.sockets_per_address = 7;
        let capacity = Capacity::of(&settings, 20_000);
        assert_eq!((capacity.connections, capacity.sockets), (50, 50));
        assert_eq!(capacity.in_force(&settings, None).limits.sockets_per_address, 7);
        assert!(!capacity.short);
    }

    #[test]
    fn what_is_in_force_is_what_the_process_can_hold_and_no_zero_that_stands_for_something_else() {
        let configured = settings(10_000);
        let capacity = Capacity::of(&configured, 1024);
        let mut wanted = configured.clone();
        (wanted.server.max_connections, wanted.limits.parked_sessions) = (capacity.connections, capacity.connections);
        (wanted.limits.sockets, wanted.limits.sockets_per_address) = (capacity.sockets, 2256);
        (wanted.limits.parked_per_room, wanted.limits.memory_bytes) = (9, 300 << 20);
        assert_eq!(capacity.in_force(&configured, Some(500 << 20)), wanted);
        assert_eq!(capacity.in_force(&wanted, None), wanted);
    }

    #[test]
    fn a_share_of_the_memory_is_the_budget_where_none_is_named() {
        let mut limits = Settings::default().limits;
        assert_eq!(limits.most_memory(Some(512 << 20)), (512 << 20) / 5 * 3);
        assert_eq!(limits.most_memory(None), limits.most_memory(Some(512 << 20)));
        assert_eq!(limits.most_memory(Some(1 << 20)), 16 << 20, "no less than the server needs itself");
        limits.memory_bytes = 64 << 20;
        assert_eq!(limits.most_memory(Some(512 << 20)), 64 << 20);
        limits.memory_bytes = 64;
        assert_eq!(limits.most_memory(Some(512 << 20)), 16 << 20);
    }

    /// What the composition gives where `.env` says nothing: the number between these two.
    fn composed(name: &str, unit: &str) -> u64 {
        let compose = include_str!("../../docker-compose.yml");
        let (_, given) = compose.split_once(&format!("${{{name}:-")).expect(name);
        given.split_once(unit).expect(unit).0.parse().expect("a number")
    }

    /// An idle connection costs 2.6 KB here and 5.0 KB in the kernel (docs/performance.md).
    #[test]
    fn the_composition_gives_what_its_connections_need() {
        let given = composed("MEMORY_LIMIT", "m}") << 20;
        let mut settings = Settings::default();
        let capacity = Capacity::of(&settings, composed("OPEN_FILES", "}"));
        assert!(capacity.connections == settings.server.max_connections && !capacity.short, "{capacity:?}");
        let budget = settings.limits.most_memory(Some(given)) as u64;
        let idle = settings.server.max_connections as u64 * 8 * 1024;
        assert!(2 * idle < budget, "{idle} for connections alone, of {budget}");
        assert!(budget * 115 / 100 + (64 << 20) < given, "{budget} and the server itself, of {given}");
        // What they could come to at worst is far more: that is what the budget is for, and the start says so.
        settings = capacity.in_force(&settings, Some(given));
        let told = crate::config::memory_warning(&settings).expect("a warning");
        assert!(told.contains(&settings.could_hold().to_string()) && told.contains("are refused"), "{told}");
    }

    #[test]
    fn what_the_limits_allow_is_told_where_it_is_more_than_the_budget() {
        let mut settings = Settings::default();
        (settings.server.max_connections, settings.limits.sockets, settings.limits.memory_bytes) = (10, 12, 1 << 30);
        settings.limits.parked_sessions = 4;
        let connection = 786_432 + 3 * 65_536;
        let session = 1_572_864 + 2 * 4096;
        let kernel = 12 * 2 * (98_304 + 65_536);
        let bans = (10 + 4 + 1000) * 64 * 256;
        let plain = 10 * connection + (10 + 4) * session + 2 * 16_384 + kernel + bans;
        assert_eq!(settings.could_hold(), plain);
        let secured = crate::config::Tls { cert_file: "a".into(), key_file: "b".into(), ..settings.tls.clone() };
        assert_eq!(Settings { tls: secured, ..settings.clone() }.could_hold(), plain + 12 * 65_536);
        assert_eq!(crate::config::memory_warning(&settings), None);
        settings.limits.memory_bytes = 1 << 20;
        let told = crate::config::memory_warning(&settings).expect("a warning");
        assert!(told.contains("limits.memory_bytes = 1048576") && told.contains("max_connections = 10 "), "{told}");
    }
}
