//! The flight recorder: per room, what went on between its peers, so that "they cannot hear each other" becomes a picture. Who, when,
//! what kind, how long roughly, and what became of it; never what was in it.
//!
//! Each worker thread keeps rings of its own, so that a signal costs neither a lock nor an allocation: its sender's session writes 32 bytes
//! with the time that it has read anyway. Who asks has all threads answer, and puts their pieces together by the clock that they
//! share.
//!
//! | file | what |
//! |---|---|
//! | [`fact`] | one fact, in 32 bytes |
//! | `ring` | a bounded ring of them |
//! | [`state`] | the rules: what a room and all rooms may take, what is kept how long, what is given up first |
//! | [`story`] | what the threads have, in one order; offers without an answer |
//! | [`diagram`] | the same as a sequence diagram |
//! | `thread` | the recordings of the calling thread |
pub mod diagram;
pub mod fact;
mod ring;
pub mod state;
pub mod story;
mod thread;

pub use self::thread::{
    RecorderConfig, RoomLife, RoomRecording, beside, held, note, open, piece, relieve, start, sweep,
};
