//! What a run counted, right and wrong.

use serde::Serialize;

use crate::measure::latency::Latency;

/// Different troubles that are quoted; the rest is only counted.
const QUOTED: usize = 8;
/// Bytes quoted of a text nobody understood.
const QUOTE: usize = 160;

/// Counters of a whole run. "Joined" and "failed" add up to "attempted" once everything has settled.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    /// Sockets that were to be opened.
    pub attempted: u64,
    /// Peers that got into their room.
    pub joined: u64,
    /// Peers that did not: refused, reset or timed out on the way.
    pub failed: u64,
    /// Joined peers whose socket ended without their doing.
    pub cut: u64,
    /// Deliveries asked for: one per receiver.
    pub sent: u64,
    /// Deliveries that came, unharmed and to the right peer.
    pub delivered: u64,
    /// Signals whose bytes differ from what was sent.
    pub corrupt: u64,
    /// Signals that came to the wrong peer, or in the wrong one's name.
    pub misdirected: u64,
    /// Signals that came before an earlier one of the same sender, or twice.
    pub misordered: u64,
    /// `error` frames and their like.
    pub refused: u64,
    /// Texts and frames of no known shape.
    pub unknown: u64,
    /// Bytes written to sockets; over TLS those that were given to it to encrypt, which may still wait.
    pub bytes_out: u64,
    /// Bytes read from sockets; over TLS what they were decrypted to.
    pub bytes_in: u64,
    /// Some of what went wrong, in words.
    pub troubles: Vec<String>,
    /// From `connect` to the end of the handshake.
    #[serde(skip)]
    pub connect: Latency,
    /// From `connect` to being in the room.
    #[serde(skip)]
    pub join: Latency,
}

impl Tally {
    pub(super) fn connected(&mut self, nanos: u64) {
        self.connect.record(nanos);
    }

    pub(super) fn joined(&mut self, nanos: u64) {
        self.joined += 1;
        self.join.record(nanos);
    }

    pub(super) fn refused(&mut self, text: &[u8]) {
        self.refused += 1;
        self.trouble(&quote("refused", text));
    }

    pub(super) fn unknown(&mut self, text: &[u8]) {
        self.unknown += 1;
        self.trouble(&quote("unknown", text));
    }

    pub(super) fn trouble(&mut self, what: &str) {
        if self.troubles.len() < QUOTED && !self.troubles.iter().any(|t| t == what) {
            self.troubles.push(what.to_owned());
        }
    }

    /// Deliveries that never came. Only meaningful once nothing is under way.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.delivered)
    }

    /// Everything that must be zero on a healthy server, but for failed joins.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.lost() + self.corrupt + self.misdirected + self.misordered + self.refused + self.unknown + self.cut
    }

    /// Errors per delivery asked for, or per join where nothing was sent. Between 0 and 1, mostly.
    #[must_use]
    pub fn error_rate(&self) -> f64 {
        self.errors() as f64 / self.sent.max(self.attempted).max(1) as f64
    }

    /// Joins that succeeded, of those attempted.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        self.joined as f64 / self.attempted.max(1) as f64
    }
}

fn quote(what: &str, text: &[u8]) -> String {
    format!("{what}: {}", String::from_utf8_lossy(&text[..text.len().min(QUOTE)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_count_every_kind_of_error_and_survive_nothing_at_all() {
        let idle = Tally::default();
        assert_eq!((idle.error_rate(), idle.success_rate()), (0.0, 0.0));
        let tally = Tally {
            attempted: 4,
            joined: 3,
            sent: 100,
            delivered: 97,
            corrupt: 1,
            misdirected: 1,
            misordered: 1,
            refused: 1,
            unknown: 1,
            cut: 1,
            ..Tally::default()
        };
        assert_eq!((tally.lost(), tally.errors()), (3, 9));
        assert!((tally.error_rate() - 0.09).abs() < 1e-9);
        assert!((tally.success_rate() - 0.75).abs() < 1e-9);
    }

    #[test]
    fn troubles_are_quoted_once_each_and_bounded() {
        let mut tally = Tally::default();
        for i in 0..50 {
            tally.refused(format!("{}", i / 2).as_bytes());
        }
        assert_eq!((tally.refused, tally.troubles.len()), (50, QUOTED));
    }
}
