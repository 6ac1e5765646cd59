//! `[ops]`: the operator's listener.

use super::{kind::Kind, section::section, server::HOST};

section! {
    /// The operator's side: `/metrics` and whatever clients have no business with.
    Ops = "ops" {
        /// Address the operator's side listens on.
        /// Loopback by default, because it asks for no password; elsewhere, put a firewall before it.
        host: String = "127.0.0.1".to_owned(), HOST;

        /// Port the operator's side listens on, another than `server.port`; 0 lets the system choose one.
        /// 9464 is the port that OpenTelemetry gave to Prometheus exporters.
        port: u16 = 9464, Kind::count(0, 65_535, "");
    }
}
