//! What is published: how much is used, and what is to be done about it.

use tokio::sync::watch;

use super::relief::Totals;
use crate::telemetry::MemoryStep;

/// Relief goes on until no more than this share of the budget is used, in percent.
const TARGET_PERCENT: u64 = 70;
/// What whoever relieves memory goes by. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Relief {
    /// Whether there is anything to relieve.
    pub pressure: watch::Receiver<Pressure>,
    /// What all who may give something up hold together.
    pub totals: Totals,
}

/// How much of the budget is used, in bytes, and what is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// `limits.memory_bytes`.
    pub budget: u64,
    /// What is held on behalf of clients, the kernel's part included.
    pub used: u64,
    /// The kernel's part.
    pub tcp: u64,
    /// How far relief goes. `None`: there is enough.
    pub step: Option<MemoryStep>,
}

impl Pressure {
    /// None yet.
    #[must_use]
    pub fn none(budget: u64) -> Self {
        Self { budget, used: 0, tcp: 0, step: None }
    }

    /// Whether relief goes as far as this, or farther.
    #[must_use]
    pub fn asks(&self, step: MemoryStep) -> bool {
        self.step >= Some(step)
    }

    /// Whether, while newcomers are refused, there is still room for those whose address holds few connections: until all of the budget
    /// is used. What they come to is little; what is freed meanwhile is what others hold.
    #[must_use]
    pub fn has_room_for_few(&self) -> bool {
        self.used < self.budget
    }

    /// Bytes that all who hold something should hold together.
    #[must_use]
    pub fn target(&self) -> u64 {
        self.budget / 100 * TARGET_PERCENT
    }

    /// Bytes to be freed.
    #[must_use]
    pub fn excess(&self) -> u64 {
        self.used.saturating_sub(self.target())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_little_is_let_in_until_all_is_used() {
        let with = |used| Pressure { used, step: Some(MemoryStep::EndConnections), ..Pressure::none(1000) };
        assert!(with(0).has_room_for_few() && with(999).has_room_for_few(), "however long relief lasts already");
        assert!(!with(1000).has_room_for_few() && !with(2000).has_room_for_few());
    }
}
