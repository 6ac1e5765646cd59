//! `[log]`: what is logged.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::{kind::Kind, milliseconds::Milliseconds, section::section};

const FOLDER_MODES: Kind = Kind::Text {
    check: folder_mode,
    allowed: "a mode in octal from 0700 to 3777 with all of the owner's rights, such as \"0750\"",
};
const FILE_MODES: Kind = Kind::Text {
    check: file_mode,
    allowed: "a mode in octal from 0600 to 0666 with the owner's rights to read and write, such as \"0640\"",
};

/// In bytes. What is less is more likely to be meant in MiB.
const MIB: i64 = 1024 * 1024;
/// Bytes of all files, at most: no disk is as large.
const MOST: i64 = 1_000_000_000_000_000;

section! {
    /// Logging: JSON lines on standard output, and in files where a folder is named for them.
    Log = "log" {
        /// Least important level that is logged.
        /// `info` has a line for each connection's start and end, and none for a relayed message.
        level: LogLevel = LogLevel::Info, Kind::Text {
            check: |text| LogLevel::parse(text).map(|level| level.as_str().to_owned()),
            allowed: "critical, error, warn (or warning), info, debug or trace",
        }, plain "LOG_LEVEL", live;

        /// A message handled in more than this is logged as slow.
        /// 500 ms are a thousand times the usual: whatever takes that long wants looking at.
        slow_message_ms: Milliseconds = Milliseconds(500), Kind::milliseconds(1).usual(10, 60_000);

        /// Lines that may wait for whoever reads the standard output, or for the disk; those beyond are dropped and counted.
        /// 8192 lines are some 3 MB: a reader that pauses must never stop the server.
        queue_lines: usize = 8192, Kind::count(1, 10_000_000, "lines");

        /// Folder for a file per day (UTC) of the same lines, and one of those from `error` up; made if missing. Empty: no files.
        /// Empty by default, because service managers and containers keep the standard output already.
        /// Needs no logrotate: files of finished days are compressed after a day and removed after the days below.
        dir: PathBuf = PathBuf::new(), Kind::Text { check: folder, allowed: "the path of a folder, or an empty text" };

        /// Days of which the files with all lines are kept, today included.
        /// 14 cover a holiday and the look back at what came before it.
        keep_days: u32 = 14, Kind::count(1, 3650, "days");

        /// Days of which the files with errors are kept, today included.
        /// 30, as they are small, and a fault that comes monthly shows twice.
        keep_error_days: u32 = 30, Kind::count(1, 3650, "days");

        /// Bytes that all log files together may take, compressed ones included; 0 means no bound.
        /// The oldest finished file goes first; when only those of today are left, they get no more lines, which are counted.
        /// 4 GiB are ten million lines: more than most servers write in the days above, and less than small disks have.
        max_bytes: u64 = 4_294_967_296, Kind::bytes(0, MOST).usual(MIB, MOST);

        /// Mode of the folder, in octal, if the server makes it; one that is there keeps its own.
        /// Lines name addresses and rooms, which are personal data: 0750 lets in the server's user and its group.
        dir_mode: String = "0750".to_owned(), FOLDER_MODES;

        /// Mode of the files, in octal, whatever the process's umask; of those that are there, rights beyond it are taken away.
        /// 0640 lets the server's group read them, for whoever collects logs, and nobody else.
        file_mode: String = "0640".to_owned(), FILE_MODES;

        /// Time over which lines are gathered that clients may cause any number of; 0 writes each of them.
        /// 10 s: a flood is a few lines and one with the count of the rest, and that comes soon enough to act upon.
        gather_ms: Milliseconds = Milliseconds(10_000), Kind::milliseconds(0);

        /// Lines of one event (connection opened or closed, peer joined or left, and so on) that one address causes in that
        /// time before the rest is gathered. 100, so that 500 pupils of a school who join within a minute have a line each.
        burst_lines: usize = 100, Kind::count(1, 1_000_000, "lines"), exported_with_section;

        /// The same for refusals, of one event and code.
        /// 20 show whether they are alike; what comes beyond says nothing new.
        burst_refusals: usize = 20, Kind::count(1, 1_000_000, "lines"), exported_with_section;

        /// Lines of one event that all addresses together cause in that time before the rest is gathered.
        /// 2000, so that 10 000 clients who come back within a minute have a line each. As many addresses are remembered.
        event_lines: usize = 2000, Kind::count(1, 1_000_000, "lines"), exported_with_section;
    }
}

impl Log {
    /// [`Self::gather_ms`]; `None` if nothing is gathered.
    #[must_use]
    pub fn gather(&self) -> Option<Duration> {
        (self.gather_ms.0 > 0).then_some(self.gather_ms.get())
    }

    /// [`Self::max_bytes`]; `None` if there is no bound.
    #[must_use]
    pub fn bound(&self) -> Option<u64> {
        (self.max_bytes > 0).then_some(self.max_bytes)
    }

    /// [`Self::dir_mode`] as the system takes it.
    #[must_use]
    pub fn folder_bits(&self) -> u32 {
        octal(&self.dir_mode).unwrap_or(0o750)
    }

    /// [`Self::file_mode`] as the system takes it.
    #[must_use]
    pub fn file_bits(&self) -> u32 {
        octal(&self.file_mode).unwrap_or(0o640)
    }
}

fn folder(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// Digits only: `from_str_radix` would take a sign, too.
fn octal(text: &str) -> Option<u32> {
    let digits = (3..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if digits { u32::from_str_radix(text, 8).ok() } else { None }
}

/// Without its owner's rights the server itself would be shut out.
fn mode(text: &str, needed: u32, most: u32) -> Option<String> {
    let bits = octal(text)?;
    (bits & needed == needed && bits & !most == 0).then(|| format!("{bits:04o}"))
}

/// The set-group-id and sticky bits are of use on folders.
fn folder_mode(text: &str) -> Option<String> {
    mode(text, 0o700, 0o3777)
}

fn file_mode(text: &str) -> Option<String> {
    mode(text, 0o600, 0o666)
}

/// A log level, from most to least important.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum LogLevel {
    /// The server cannot go on.
    Critical,
    /// Something failed that should not.
    Error,
    /// Something wants looking at.
    #[strum(to_string = "warn", serialize = "warning")]
    Warn,
    /// The usual course of things.
    Info,
    /// For finding faults.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, from most to least important.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word for it, which slog reads too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a level in any case, since `LOG_LEVEL=WARNING` is what half the world writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_octal_and_never_shuts_the_server_out() {
        for (text, kept) in [("0750", "0750"), ("755", "0755"), ("2770", "2770"), ("1777", "1777")] {
            assert_eq!(folder_mode(text).as_deref(), Some(kept));
        }
        for (text, kept) in [("0640", "0640"), ("600", "0600"), ("0666", "0666")] {
            assert_eq!(file_mode(text).as_deref(), Some(kept));
        }
        for bad in ["", "0", "075", "0050", "0850", "+750", "4755", "07500", "rwxr-x---", "0o750", " 750"] {
            assert_eq!(folder_mode(bad), None, "{bad}");
        }
        for bad in ["0440", "0040", "0750", "2640", "644 ", "-640"] {
            assert_eq!(file_mode(bad), None, "{bad}");
        }
        let log = Log::default();
        assert_eq!((log.folder_bits(), log.file_bits()), (0o750, 0o640));
    }

    #[test]
    fn a_level_is_read_in_any_case_and_slog_knows_the_word() {
        for &level in LogLevel::ALL {
            assert_eq!(LogLevel::parse(&level.as_str().to_uppercase()), Some(level));
            let slogs: slog::Level = level.as_str().parse().unwrap();
            let name = if level == LogLevel::Warn { "WARN" } else { slogs.as_str() };
            assert_eq!(name, level.as_str().to_uppercase());
        }
        assert_eq!(LogLevel::parse("Warning"), Some(LogLevel::Warn));
        for bad in ["", "loud", "inf", "information", "1"] {
            assert_eq!(LogLevel::parse(bad), None, "{bad}");
        }
    }
}
