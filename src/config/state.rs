//! `[state]`: what outlives the process.

use std::path::PathBuf;

use super::{kind::Kind, section::section};

section! {
    /// What outlives the process: the measure of the last shutdown, which the next start takes and tells. After a crash there
    /// is none. Servers that share a folder do not mind, but a crash of one hides what another left at that time.
    State = "state" {
        /// Folder for it, relative to the working directory; made if missing. If it cannot be written, a warning says so.
        /// Beside the program by default, so that a first start needs no preparation.
        dir: PathBuf = PathBuf::from("state"), Kind::Text { check: path, allowed: "the path of a folder" };
    }
}

fn path(text: &str) -> Option<String> {
    let fits = !text.is_empty() && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
}
