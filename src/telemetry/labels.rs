//! Closed label sets, and counters that are indexed by them: an array each, no hashing on the hot path.

use std::marker::PhantomData;

use crate::protocol::{EndReason, ErrorCode, FrameKind, LeaveReason};

/// A closed set of label values: the code lists them all, so that a series has a known, small number of children and
/// exists at 0 before it is first needed.
pub trait Label: Copy + 'static {
    /// Every value, at its [`Label::index`].
    const ALL: &'static [Self];

    /// The place in [`Label::ALL`].
    fn index(self) -> usize;

    /// The word in logs and metrics.
    fn label(self) -> &'static str;
}

/// Declares an enum whose variants are label values.
macro_rules! label_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $crate::telemetry::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn index(self) -> usize {
                self as usize
            }

            fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }
    };
}
pub(crate) use label_set;

impl Label for EndReason {
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        // The discriminants start at 1: 0 means "none" in a `KillSwitch`.
        self as usize - 1
    }

    fn label(self) -> &'static str {
        self.as_str()
    }
}

impl Label for FrameKind {
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        Self::index(self)
    }

    fn label(self) -> &'static str {
        self.as_str()
    }
}

impl Label for LeaveReason {
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn label(self) -> &'static str {
        self.as_str()
    }
}

impl Label for ErrorCode {
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn label(self) -> &'static str {
        self.as_str()
    }
}

/// One counter per value of `L`. `N` is the number of values; a mismatch does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts<L, const N: usize> {
    counts: [u64; N],
    of: PhantomData<L>,
}

impl<L: Label, const N: usize> Counts<L, N> {
    /// All at 0.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(L::ALL.len() == N, "as many counters as label values") };
        Self { counts: [0; N], of: PhantomData }
    }

    /// Counts one.
    pub fn add(&mut self, label: L) {
        self.add_n(label, 1);
    }

    /// Counts several at once.
    pub fn add_n(&mut self, label: L, n: u64) {
        self.counts[label.index()] += n;
    }

    /// The count under one label.
    #[must_use]
    pub fn get(&self, label: L) -> u64 {
        self.counts[label.index()]
    }

    /// The sum over all labels.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Every label with its count.
    pub fn iter(&self) -> impl Iterator<Item = (L, u64)> + '_ {
        L::ALL.iter().copied().zip(self.counts)
    }

    /// Adds what `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, more) in self.counts.iter_mut().zip(other.counts) {
            *mine += more;
        }
    }
}

impl<L: Label, const N: usize> Default for Counts<L, N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{LimitHit, OpsDenial, Reconnection, RelayOutcome, Severity};

    fn is_closed_set<L: Label + PartialEq + std::fmt::Debug>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{value:?} is not at its index");
        }
        let mut words: Vec<_> = L::ALL.iter().map(|l| l.label()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), L::ALL.len(), "two labels are the same word");
    }

    #[test]
    fn every_value_stands_at_its_index_under_its_own_word() {
        is_closed_set::<EndReason>();
        is_closed_set::<LeaveReason>();
        is_closed_set::<ErrorCode>();
        is_closed_set::<FrameKind>();
        is_closed_set::<RelayOutcome>();
        is_closed_set::<Reconnection>();
        is_closed_set::<LimitHit>();
        is_closed_set::<OpsDenial>();
        is_closed_set::<Severity>();
    }

    #[test]
    fn merging_adds_label_by_label() {
        let mut a = Counts::<LeaveReason, 7>::new();
        let mut b = a;
        a.add(LeaveReason::Left);
        b.add_n(LeaveReason::Left, 2);
        b.add(LeaveReason::Timeout);
        a.merge(&b);
        assert_eq!((a.get(LeaveReason::Left), a.get(LeaveReason::Timeout), a.total()), (3, 1, 4));
    }
}
