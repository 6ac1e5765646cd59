//! `[watchdog]`: how a server that hangs is found and ended.

use super::{kind::Kind, milliseconds::Milliseconds, section::section};

section! {
    /// The watch over the server's own threads and its supervisor: each is asked to answer three times within `silent_ms`.
    Watchdog = "watchdog" {
        /// Silence of a thread or of the supervisor after which `/healthz` answers 503, and the next run of the checks says
        /// so in `/health`; shorter than `exit_ms`.
        /// 1.2 s are a thousand times what an answer takes, and are noticed within 2 s of the fault.
        silent_ms: Milliseconds = Milliseconds(1200), Kind::milliseconds(100).usual(500, 60_000);

        /// Silence after which the process ends with code 70, so that whoever runs it starts it anew.
        /// 4 s end it within 5 s of the fault: a server that hangs keeps its clients from finding another one.
        exit_ms: Milliseconds = Milliseconds(4000), Kind::milliseconds(200).usual(1000, 600_000);
    }
}
