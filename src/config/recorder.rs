//! `[recorder]`: what is remembered of what went on in rooms.

use super::{
    kind::{DAY_MS, Kind},
    milliseconds::Milliseconds,
    section::section,
};

section! {
    /// The flight recorder: in each room, who sent a signal of which kind to which peer and what became of it, and who came,
    /// went and was away. Never what was in it, nor names or addresses. Operators look at it (`docs/operations.md`).
    Recorder = "recorder" {
        /// Whether anything is recorded.
        /// On, because whoever asks why two people did not hear each other asks afterwards. A signal costs 100 instructions, 5 ns,
        /// more by it.
        enabled: bool = true, Kind::Switch;

        /// What is recorded of one room, at most; each worker thread has an equal part of it. A fact takes 32 bytes.
        /// A quarter is for signals of kind `app`.
        /// 256 KiB are 8192 facts: a call of ten makes about a thousand. Rooms take it bit by bit, as they need it.
        room_bytes: usize = 256 * 1024, Kind::bytes(4096, 1 << 30);

        /// What is recorded of all rooms together, at most, with what a recording takes beside its facts (some 300 bytes
        /// on each worker thread that has peers of the room). When it is used, recordings of rooms that are over go first,
        /// and then those of rooms in which nothing has happened for longest. It counts towards `limits.memory_bytes`, and
        /// is the first that is given back when that is nearly used.
        /// 32 MiB are some ten thousand calls of two.
        total_bytes: usize = 32 * 1024 * 1024, Kind::bytes(64 * 1024, 1 << 34), exported_with_section;

        /// How long a recording is kept after its room has ended.
        /// 10 min: who complains of a call does so when it is over.
        keep_ms: Milliseconds = Milliseconds(600_000), Kind::milliseconds(1).usual(1000, DAY_MS);
    }
}
