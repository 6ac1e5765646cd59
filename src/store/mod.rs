//! What a restart carries over: sessions that can be resumed, and the locks and bans of rooms. A drain writes it as one file into
//! `state.dir`, and the next start reads and removes it before it serves anybody.
//!
//! The file never has an identity, a token or a resume secret in it: of people only `who`, of secrets only digests. What has not
//! arrived at its client is in it, and so are signals.
//!
//! | file | what |
//! |---|---|
//! | `record` | the records, and how each part of them is written as text |
//! | `codec` | the whole as bytes and back: version, lengths, checksum. What is not whole is refused whole |
//! | `state_dir` | the folder: one process at a time, modes, whole files or none |
mod codec;
mod record;
mod state_dir;

pub use codec::{Encoded, RecordError, VERSION, decode, encode};
pub use record::{
    BanRecord, BufferRecord, CountsRecord, FormerRecord, ModerationRecord, RoomRecord, SessionRecord, StateRecord,
};
pub use state_dir::{Permit, StateDir, StateDirError};

#[cfg(test)]
mod tests;
