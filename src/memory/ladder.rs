//! How far relief goes: by how much is used, and by how long nothing has helped.

use std::time::Duration;

use crate::telemetry::{Label, MemoryStep};

/// The share of the budget from which on each step is taken, in percent.
const FROM: [u64; MemoryStep::ALL.len()] = [80, 85, 90, 95];
/// A step ends this much below the share that it began at.
const HYSTERESIS: u64 = 5;
/// Where memory stays used for this long, relief goes a step further: whoever holds it would keep everybody else out.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between the end of the first step and its beginning relief lasts no longer than this.
const SETTLES: Duration = Duration::from_secs(5);

/// Where relief stands.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    /// Steps taken for how much is used.
    by_share: usize,
    /// For how long the first step has been called for.
    lasts: Duration,
    /// For how long it would not have been taken any more.
    settled: Duration,
}

impl Ladder {
    /// The step for so much of the budget, `elapsed` after the last look.
    pub(super) fn look(&mut self, used: u64, budget: u64, elapsed: Duration) -> Option<MemoryStep> {
        let percent = percent(used, budget);
        let reached = |slack: u64| FROM.iter().filter(|from| percent + slack >= **from).count();
        self.by_share = reached(0).max(self.by_share.min(reached(HYSTERESIS)));
        self.settled = if percent >= FROM[0] { Duration::ZERO } else { self.settled + elapsed };
        if self.by_share == 0 || self.settled >= SETTLES {
            *self = Self::default();
            return None;
        }
        self.lasts += elapsed;
        let further = usize::try_from(self.lasts.as_millis() / PATIENCE.as_millis()).unwrap_or(usize::MAX);
        let taken = self.by_share.max(further.saturating_add(1)).min(MemoryStep::ALL.len());
        Some(MemoryStep::ALL[taken - 1])
    }
}

fn percent(used: u64, budget: u64) -> u64 {
    u64::try_from(u128::from(used) * 100 / u128::from(budget.max(1))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    const LOOK: Duration = Duration::from_millis(50);

    fn steps(shares: &[u64]) -> Vec<Option<MemoryStep>> {
        let mut ladder = Ladder::default();
        shares.iter().map(|share| ladder.look(*share, 100, LOOK)).collect()
    }

    #[test]
    fn more_is_done_the_more_is_used_and_less_when_it_is_back() {
        use MemoryStep::{EmptyResumeBuffers, EndConnections, ReadLess, RefuseConnections};
        let shares = [79, 80, 85, 90, 95, 200, 90, 89, 84, 79, 75, 74, 79, 80];
        let expected = [
            None,
            Some(RefuseConnections),
            Some(ReadLess),
            Some(EmptyResumeBuffers),
            Some(EndConnections),
            Some(EndConnections),
            Some(EndConnections),
            Some(EmptyResumeBuffers),
            Some(ReadLess),
            Some(RefuseConnections),
            Some(RefuseConnections),
            None,
            None,
            Some(RefuseConnections),
        ];
        assert_eq!(steps(&shares), expected);
    }

    #[test]
    fn what_does_not_help_goes_further_and_what_settled_ends() {
        let mut ladder = Ladder::default();
        let mut look = |share, seconds| ladder.look(share, 100, Duration::from_secs(seconds));
        assert_eq!(look(81, 0), Some(MemoryStep::RefuseConnections));
        assert_eq!(look(81, 2), Some(MemoryStep::ReadLess));
        assert_eq!(look(81, 2), Some(MemoryStep::EmptyResumeBuffers));
        assert_eq!(look(81, 2), Some(MemoryStep::EndConnections));
        assert_eq!(look(81, 60), Some(MemoryStep::EndConnections));
        assert_eq!(look(76, 4), Some(MemoryStep::EndConnections));
        assert_eq!(look(76, 1), None);
        assert_eq!(look(81, 0), Some(MemoryStep::RefuseConnections), "and it begins anew");
    }

    proptest! {
        /// Nothing is done below the first share, whatever was; everything at the last; and nothing once memory is back.
        #[test]
        fn relief_follows_what_is_used(shares in prop::collection::vec(0_u64..130, 1..200)) {
            let mut ladder = Ladder::default();
            let mut before = None;
            for share in shares {
                let step = ladder.look(share, 100, LOOK);
                assert!(share < FROM[3] || step == Some(MemoryStep::EndConnections), "{share}: {step:?}");
                assert!(share >= FROM[0] - HYSTERESIS || step.is_none(), "{share}: {step:?}");
                assert!(share >= FROM[0] || step.is_none() || before.is_some(), "{share}: {step:?} after {before:?}");
                before = step;
            }
        }

        /// A share that moves within the hysteresis changes the step at most as often as patience does.
        #[test]
        fn a_share_that_wavers_makes_no_step_waver(base in 70_u64..100, wavers in prop::collection::vec(0_u64..3, 1..100)) {
            let mut ladder = Ladder::default();
            let steps: Vec<_> = wavers.iter().map(|waver| ladder.look(base + waver, 100, LOOK)).collect();
            let changes = steps.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(changes <= 1 + MemoryStep::ALL.len(), "{steps:?}");
        }
    }
}
