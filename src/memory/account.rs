//! What is used: a figure that needs nobody's help to be right.

use super::heap::{Heap, HeapBytes};
use crate::machine::TcpMemory;

/// Reads what is held on behalf of clients.
pub(super) struct Account {
    heap: Heap,
    tcp: TcpMemory,
    /// Both at the start.
    before: Figures,
    /// The most that one socket may hold in the kernel.
    socket_bytes: u64,
    /// Open sockets.
    sockets: Box<dyn Fn() -> usize + Send>,
}

/// What is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Figures {
    heap: HeapBytes,
    tcp: u64,
}

/// What is held on behalf of clients, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// In all.
    pub(super) all: u64,
    /// By the kernel, for TCP.
    pub(super) tcp: u64,
    /// As `all`, with the pages that the allocator keeps for later use.
    pub(super) resident: u64,
}

impl Account {
    /// Begins with what there is now. A socket holds `socket_bytes` in the kernel at most, and there are `sockets`.
    pub(super) fn open(socket_bytes: u64, sockets: Box<dyn Fn() -> usize + Send>) -> tikv_jemalloc_ctl::Result<Self> {
        let (heap, tcp) = (Heap::open()?, TcpMemory::find());
        let before = Figures { heap: heap.bytes(), tcp: tcp.bytes() };
        Ok(Self { heap, tcp, before, socket_bytes, sockets })
    }

    /// Reads both.
    pub(super) fn used(&self) -> Used {
        let now = Figures { heap: self.heap.bytes(), tcp: self.tcp.bytes() };
        let most_tcp = self.socket_bytes.saturating_mul((self.sockets)() as u64);
        now.since(&self.before, most_tcp)
    }

    /// Gives the kernel back what is kept for later use.
    pub(super) fn purge(&self) {
        self.heap.purge();
    }
}

impl Figures {
    /// The kernel's figure may be that of the whole machine, where others have sockets, too: ours is no more than
    /// `most_tcp`.
    fn since(&self, before: &Self, most_tcp: u64) -> Used {
        let tcp = self.tcp.saturating_sub(before.tcp).min(most_tcp);
        let heap = self.heap.active.saturating_sub(before.heap.active);
        let resident = self.heap.resident.saturating_sub(before.heap.resident);
        Used { all: heap + tcp, tcp, resident: resident.max(heap) + tcp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(active: u64, resident: u64, tcp: u64) -> Figures {
        Figures { heap: HeapBytes { active, resident }, tcp }
    }

    #[test]
    fn what_was_there_at_the_start_is_nobodys() {
        let before = figures(100, 150, 10);
        assert_eq!(figures(100, 150, 10).since(&before, 50), Used { all: 0, tcp: 0, resident: 0 });
        assert_eq!(figures(130, 190, 30).since(&before, 50), Used { all: 50, tcp: 20, resident: 60 });
        assert_eq!(figures(90, 100, 5).since(&before, 50), Used { all: 0, tcp: 0, resident: 0 });
    }

    #[test]
    fn sockets_of_others_on_the_machine_are_not_ours() {
        assert_eq!(figures(7, 7, 1000).since(&Figures::default(), 50), Used { all: 57, tcp: 50, resident: 57 });
    }
}
