//! A connection of a session's. A session that may be resumed can outlive several.

use std::time::Instant;

use bytes::Bytes;

use crate::{moment::Moment, ws::Connection};

/// A session's connection, and what the session remembers of it.
pub(super) struct Attachment {
    pub(super) connection: Connection,
    opened: Moment,
    /// The answer to the client's close frame.
    pub(super) close_answer: Option<Box<Bytes>>,
    /// Whether `bye` was sent already: a drain sends it long before the close.
    pub(super) bye_sent: bool,
    /// Whether it ended without a close frame.
    pub(super) lost: bool,
    /// Whether the client's close frame said that it does not come back.
    pub(super) goodbye: bool,
}

impl Attachment {
    /// One that was opened then.
    pub(super) fn new(connection: Connection, opened: Instant) -> Self {
        Self { connection, opened: opened.into(), close_answer: None, bye_sent: false, lost: false, goodbye: false }
    }

    /// When it was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened.instant()
    }

    /// A connection that had a session before: so many frames were written to it.
    pub(super) fn go_on(mut self, written: u64) -> Self {
        self.connection.outbox.begin_at(written);
        self
    }
}
