//! Ports for servers that have to come back where they were, and for those that take no 0. (All others take port 0.)

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that Linux gives to whoever asks for any, so that nobody gets one while its server is away.
const FIRST: u16 = 21_000;
const LAST: u16 = 31_999;

/// A port that is free, for TCP and for UDP, and that no other test of this process gets.
#[track_caller]
pub(crate) fn reserve() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another process of tests begins elsewhere.
    let begin = u16::try_from(std::process::id() % u32::from(LAST - FIRST)).expect("below");
    let free = (FIRST..=LAST).find_map(|_| {
        let port = FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (LAST - FIRST);
        let is_free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
        is_free.then_some(port)
    });
    free.expect("a port that is free")
}
