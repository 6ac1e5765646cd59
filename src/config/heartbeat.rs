//! `[heartbeat]`: how dead and stalled connections are found.

use super::{kind::Kind, milliseconds::Milliseconds, section::section};

section! {
    /// How dead and stalled connections are found.
    Heartbeat = "heartbeat" {
        /// A peer that was silent for this long gets a WebSocket ping; after two such intervals it is gone.
        /// 30 s stay below the 60 s after which common proxies drop a silent connection.
        interval_ms: Milliseconds = Milliseconds(30_000), Kind::milliseconds(10).usual(1000, 600_000), plain "HEARTBEAT_INTERVAL", exported_with_section;

        /// Silence that ends a connection whatever the interval; longer than the interval.
        /// 300 s bound it for whoever pings seldom to spare batteries.
        connection_timeout_ms: Milliseconds = Milliseconds(300_000), Kind::milliseconds(20).usual(1500, 3_600_000), plain "CONNECTION_TIMEOUT";

        /// Time sent data may stay unacknowledged (`TCP_USER_TIMEOUT`); 0 means the kernel's own, about 15 minutes.
        /// 20 s outlast a change of networks, and end what takes data so slowly that no queue overflows.
        tcp_user_timeout_ms: Milliseconds = Milliseconds(20_000), Kind::milliseconds(0).usual(1000, 1_000_000);

        /// The kernel's send buffer of a connection (`SO_SNDBUF`), which it doubles for its own bookkeeping.
        /// 96 KiB hold the longest message; the kernel's own choice can grow to 4 MiB for a peer that does not read.
        send_buffer_bytes: usize = 98_304, Kind::bytes(4096, 16 * 1024 * 1024);

        /// The kernel's receive buffer of a connection (`SO_RCVBUF`), which it doubles for its own bookkeeping.
        /// 64 KiB hold the longest message; the kernel's own choice can grow to 6 MiB and more for a peer that is not read.
        /// Where so many connections could fill more than a quarter of `limits.memory_bytes` with it, each has less, and
        /// 4 KiB at least: the kernel fills them faster than anybody notices.
        receive_buffer_bytes: usize = 65_536, Kind::bytes(4096, 16 * 1024 * 1024);
    }
}

impl Heartbeat {
    /// Silence after which a peer is gone: two intervals, and never more than `connection_timeout_ms`.
    #[must_use]
    pub fn ping_timeout(&self) -> Milliseconds {
        Milliseconds(self.interval_ms.0.saturating_mul(2)).min(self.connection_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_intervals_of_silence_end_a_connection_but_never_later_than_its_bound() {
        let timeout = |interval, timeout| {
            let (interval_ms, connection_timeout_ms) = (Milliseconds(interval), Milliseconds(timeout));
            Heartbeat { interval_ms, connection_timeout_ms, ..Heartbeat::default() }.ping_timeout().0
        };
        assert_eq!(timeout(30_000, 300_000), 60_000);
        assert_eq!(timeout(150_000, 300_000), 300_000);
        assert_eq!(timeout(200_000, 300_000), 300_000);
        assert_eq!(timeout(u64::MAX, 300_000), 300_000);
    }
}
