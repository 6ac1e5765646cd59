//! A bar on a terminal; nothing where standard error is none.

use std::io::{IsTerminal as _, Write as _};

/// Nanoseconds between two drawings.
const REDRAW: u64 = 100_000_000;
/// Characters of the bar.
const WIDTH: usize = 30;

/// The bar. It goes away when dropped, so that a report starts on a clean line.
#[derive(Debug)]
pub struct Progress {
    visible: bool,
    drawn: bool,
    due: u64,
}

impl Progress {
    /// Draws on standard error, if that is a terminal.
    #[must_use]
    pub fn on_stderr() -> Self {
        Self { visible: std::io::stderr().is_terminal(), drawn: false, due: 0 }
    }

    /// Draws what `state` says, but not more often than ten times a second.
    pub fn show(&mut self, now: u64, state: impl FnOnce() -> Option<(f64, String)>) {
        if !self.visible || now < self.due {
            return;
        }
        self.due = now + REDRAW;
        if let Some((share, words)) = state() {
            self.drawn = true;
            // A terminal that is gone is no reason to stop measuring.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{}", line(share, &words));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

fn line(share: f64, words: &str) -> String {
    let share = share.clamp(0.0, 1.0);
    let full = (share * WIDTH as f64).round() as usize;
    format!("[{}{}] {:3.0} % {words}", "#".repeat(full), " ".repeat(WIDTH - full), share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_long_as_the_share() {
        assert_eq!(line(0.5, "x"), format!("[{}{}]  50 % x", "#".repeat(15), " ".repeat(15)));
        assert!(line(7.0, "").starts_with(&format!("[{}] 100 %", "#".repeat(30))));
        assert!(line(-1.0, "").starts_with(&format!("[{}]   0 %", " ".repeat(30))));
    }

    #[test]
    fn nothing_is_asked_for_where_nothing_is_shown() {
        let mut hidden = Progress { visible: false, drawn: false, due: 0 };
        hidden.show(1, || unreachable!("hidden"));
    }
}
