//! What the allocator says of itself.

use tikv_jemalloc_ctl::{Access, AsName, Mib, arenas, epoch, epoch_mib, stats};

/// jemalloc's figures. Where another allocator is at work (the unit tests have the system's) they stand still.
pub(super) struct Heap {
    epoch: epoch_mib,
    active: stats::active_mib,
    resident: stats::resident_mib,
    /// How long an arena keeps unused pages, by arena.
    decay: Mib<[usize; 3]>,
}

/// Bytes, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HeapBytes {
    /// In pages that are in use.
    pub(super) active: u64,
    /// In those, and in pages that are kept for later use.
    pub(super) resident: u64,
}

impl Heap {
    /// Looks the figures' places up.
    pub(super) fn open() -> tikv_jemalloc_ctl::Result<Self> {
        Ok(Self {
            epoch: epoch::mib()?,
            active: stats::active::mib()?,
            resident: stats::resident::mib()?,
            decay: b"arena.0.dirty_decay_ms\0"[..].name().mib()?,
        })
    }

    /// Reads them; what cannot be read is as it would be with nothing allocated.
    pub(super) fn bytes(&self) -> HeapBytes {
        // The figures are those of the latest epoch.
        let _ = self.epoch.advance();
        let bytes = |read: tikv_jemalloc_ctl::Result<usize>| read.map_or(0, |bytes| bytes as u64);
        HeapBytes { active: bytes(self.active.read()), resident: bytes(self.resident.read()) }
    }

    /// Gives the kernel back what is kept for later use. An arena does so when it is told to keep nothing; it is told to
    /// keep as before right after.
    pub(super) fn purge(&self) {
        let mut decay = self.decay;
        for arena in 0..arenas::narenas::read().unwrap_or(0) {
            decay[1] = arena as usize;
            // An arena that nobody has used yet has nothing to give.
            let before: tikv_jemalloc_ctl::Result<isize> = decay.update(0);
            if let Ok(before) = before {
                let _ = decay.write(before);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_can_be_read_and_a_purge_leaves_the_decay_as_it_was() {
        let heap = Heap::open().expect("jemalloc is linked");
        let decay = || -> isize { heap.decay.read().expect("the first arena") };
        let before = decay();
        assert!(before > 0, "unused pages are given back after {before} ms");
        heap.purge();
        assert_eq!(decay(), before);
        let bytes = heap.bytes();
        assert!(bytes.resident >= bytes.active, "{bytes:?}");
    }
}
