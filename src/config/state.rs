//! `[state]`: what outlives the process.

use std::path::PathBuf;

use super::{kind::Kind, section::section};

section! {
    /// What outlives the process: the measure of the last shutdown, the locks and bans of rooms, and with `server.handover` the
    /// sessions that can be resumed. The next start takes it and removes it. After a crash there is none.
    State = "state" {
        /// Folder for it, relative to the working directory; made if missing, for this user alone. Empty: none.
        /// One process has it at a time: with `server.handover` a second one does not start, without it keeps nothing.
        /// Beside the program by default, so that a first start needs no preparation.
        dir: PathBuf = PathBuf::from("state"), Kind::TextOrNone { check: path, allowed: "the path of a folder, or empty for none" };

        /// Bytes that the sessions may have there together; those for which there is no room are not handed over.
        /// 256 MiB are 10 000 sessions with 25 KiB each that their clients have not acknowledged: a busy server has a tenth.
        max_bytes: usize = 268_435_456, Kind::bytes(1_048_576, 17_179_869_184);
    }
}

fn path(text: &str) -> Option<String> {
    let fits = !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}

impl State {
    /// Whether there is a folder.
    #[must_use]
    pub fn has_dir(&self) -> bool {
        !self.dir.as_os_str().is_empty()
    }
}
