//! `[stun]`: the server's own STUN responder.

use std::net::Ipv6Addr;

use super::{
    kind::Kind,
    section::section,
    server::{HOST, is_url_host},
};

section! {
    /// The server's own STUN responder (RFC 8489, UDP): it tells a peer by which address the internet sees it, so that two of them
    /// behind ordinary NATs find each other without anybody else's server.
    Stun = "stun" {
        /// UDP port that it answers on; 0: there is none, and clients are told of none.
        /// None by default: clients have to reach it by UDP themselves, past any proxy, and it has to see their addresses, which
        /// most container networks hide. 3478 is the port that STUN was given (RFC 8489 section 18.6).
        port: u16 = 0, Kind::count(0, 65_535, "");

        /// Address that it answers on.
        /// Every IPv4 address of the machine by default, each answering for itself; `::` adds IPv6.
        host: String = "0.0.0.0".to_owned(), HOST;

        /// Host by which clients reach it; empty: the one that each client itself used to reach this server, told to nobody else.
        /// Empty by default, because mostly that is this machine. Set it where a proxy on another machine brings the clients.
        public_host: String = String::new(), Kind::TextOrNone {
            check: public_host,
            allowed: "a host name or an IP address, without a port; empty for the host that the client used",
        };

        /// Whether this process answers. `false`: one of its own on this machine does (`switchboard stun`).
        /// Clients are told of it all the same. So it is in containers, where only that one needs the host's network.
        serve: bool = true, Kind::Switch;

        /// Requests a second of one address that are answered; the others are not.
        /// 50 are ten pages behind one NAT that each make five connections in the same second.
        rate: u32 = 50, Kind::count(1, 1_000_000, "requests a second"), exported_with_section;

        /// Requests of one address that are answered at once, after a pause.
        /// 200, since a page that joins a full room sends some for each peer and each network of its machine.
        burst: u32 = 200, Kind::count(1, 1_000_000, "requests"), exported_with_section;

        /// Requests a second of all addresses together that are answered; a second's worth at once.
        /// 5000 are 220 kB of answers: what somebody who forges addresses can make it send to others.
        total_rate: u32 = 5000, Kind::count(1, 10_000_000, "requests a second"), exported_with_section;
    }
}

impl Stun {
    /// Whether clients are told of it at the host that each of them used.
    #[must_use]
    pub fn is_at_the_clients_host(&self) -> bool {
        self.port != 0 && self.public_host.is_empty()
    }

    /// Whether this process is to answer.
    #[must_use]
    pub fn is_served_here(&self) -> bool {
        self.port != 0 && self.serve
    }
}

/// As it stands in a URL: an IPv6 address gets its brackets.
fn public_host(text: &str) -> Option<String> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(format!("[{text}]"));
    }
    (text.is_empty() || is_url_host(text)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_host_is_kept_as_urls_have_it() {
        for (text, kept) in [
            ("", ""),
            ("a.example", "a.example"),
            ("203.0.113.7", "203.0.113.7"),
            ("2001:db8::7", "[2001:db8::7]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(public_host(text).as_deref(), Some(kept), "{text}");
        }
        for bad in ["a.example:3478", "stun:a.example", "a b", "[::1", "300.1.1.1"] {
            assert_eq!(public_host(bad), None, "{bad}");
        }
    }

    #[test]
    fn it_answers_where_it_has_a_port_and_is_not_left_to_another_process() {
        let on = Stun { port: 3478, ..Stun::default() };
        let named = Stun { public_host: "a.example".to_owned(), ..on.clone() };
        let asked = [&on, &named, &Stun::default()].map(Stun::is_at_the_clients_host);
        assert_eq!(asked, [true, false, false]);
        assert!(on.is_served_here() && !Stun::default().is_served_here());
        assert!(!Stun { serve: false, ..on }.is_served_here());
    }
}
