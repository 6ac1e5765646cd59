//! What the kernel holds for one socket: not the bytes that wait there, but the memory that they take, which is many times as
//! much where they came one by one.

use std::os::fd::AsFd;

use nix::{getsockopt_impl, sockopt_impl, sys::socket::getsockopt};

/// Figures of `SO_MEMINFO`, by `linux/sock_diag.h`.
type Figures = [u32; 9];
/// Those of memory that is allocated: to be read, ahead for either, to be sent.
const ALLOCATED: [usize; 3] = [0, 4, 5];

sockopt_impl!(
    /// `SO_MEMINFO`: one system call for both directions.
    MemInfo,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_MEMINFO,
    Figures
);

/// Bytes; 0 where the kernel does not say.
pub(super) fn of(socket: &impl AsFd) -> u64 {
    getsockopt(socket, MemInfo).map_or(0, |figures| ALLOCATED.iter().map(|at| u64::from(figures[*at])).sum())
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn what_waits_to_be_read_is_the_readers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert!(of(&server) < 10_000, "{}", of(&server));
        client.write_all(&vec![0; 50_000]).unwrap();
        assert!(of(&server) >= 50_000, "{}", of(&server));
    }
}
