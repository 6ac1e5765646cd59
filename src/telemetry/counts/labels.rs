//! Closed label sets, and counters that are indexed by them: an array each, no hashing on the hot path.

use std::fmt::Debug;

use crate::protocol::{
    CandidateType, EndReason, ErrorCode, FrameKind, LeaveReason, PairFailure, ReportKind, ReportedError, Severity,
};

/// A closed set of label values: the code lists them all, so that a series has a known, small number of children and
/// exists at 0 before it is first needed.
pub trait Label: Copy + 'static {
    /// One number per value. The macros below make it as long as the list.
    type Counters: AsRef<[u64]> + AsMut<[u64]> + Copy + Eq + Debug;

    /// Every value, at its [`Label::index`].
    const ALL: &'static [Self];

    /// All counters at 0.
    const ZERO: Self::Counters;

    /// The place in [`Label::ALL`].
    fn index(self) -> usize;

    /// The word in logs and metrics.
    fn label(self) -> &'static str;
}

/// Makes labels of enums that have `ALL` and `as_str` of their own; `index` says where a value stands in `ALL`.
macro_rules! labels {
    ($($name:ident: $index:expr;)+) => {
        $(impl $crate::telemetry::counts::labels::Label for $name {
            type Counters = [u64; $name::ALL.len()];

            const ALL: &'static [Self] = $name::ALL;
            const ZERO: Self::Counters = [0; $name::ALL.len()];

            fn index(self) -> usize {
                $index(self)
            }

            fn label(self) -> &'static str {
                self.as_str()
            }
        })+
    };
}

labels! {
    // The discriminants start at 1: 0 means "none" in a `KillSwitch`.
    EndReason: |reason| reason as usize - 1;
    ErrorCode: |code| code as usize;
    FrameKind: FrameKind::index;
    LeaveReason: |reason| reason as usize;
    Severity: |severity| severity as usize;
    CandidateType: |candidate| candidate as usize;
    PairFailure: |failure| failure as usize;
    ReportKind: |kind| kind as usize;
    ReportedError: ReportedError::index;
}

/// Declares an enum whose variants are label values.
macro_rules! label_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $crate::telemetry::counts::labels::Label for $name {
            type Counters = [u64; [$($name::$variant,)+].len()];

            const ALL: &'static [Self] = &[$(Self::$variant,)+];
            const ZERO: Self::Counters = [0; [$($name::$variant,)+].len()];

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

/// One counter per value of `L`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts<L: Label> {
    counts: L::Counters,
}

impl<L: Label> Counts<L> {
    /// All at 0.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: L::ZERO }
    }

    /// Counts one.
    pub fn add(&mut self, label: L) {
        self.add_n(label, 1);
    }

    /// Counts several at once.
    pub fn add_n(&mut self, label: L, n: u64) {
        self.counts.as_mut()[label.index()] += n;
    }

    /// The count under one label.
    #[must_use]
    pub fn get(&self, label: L) -> u64 {
        self.counts.as_ref()[label.index()]
    }

    /// The sum over all labels.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.as_ref().iter().sum()
    }

    /// Every label with its count.
    pub fn iter(&self) -> impl Iterator<Item = (L, u64)> + '_ {
        L::ALL.iter().copied().zip(self.counts.as_ref().iter().copied())
    }

    /// Adds what `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, more) in self.counts.as_mut().iter_mut().zip(other.counts.as_ref()) {
            *mine += more;
        }
    }
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::counts::kinds::{
        IceKind, IceOutcome, IceTransport, LimitHit, Listener, MeshRoom, ModerationAct, Moderator, OpsCall, OpsDenial,
        PairState, Reconnection, RedisConnection, RedisOperation, RedisStatus, Rejection, RelayOutcome, ReportDrop,
        Resync, SocketRefusal, StunOutcome, TokenOutcome, WebhookDrop, WebhookOutcome,
    };

    fn is_closed_set<L: Label + PartialEq + std::fmt::Debug>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{value:?} is not at its index");
        }
        let mut words: Vec<_> = L::ALL.iter().map(|l| l.label()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), L::ALL.len(), "two labels are the same word");
        assert_eq!(L::ZERO.as_ref().len(), L::ALL.len(), "a counter each");
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
        is_closed_set::<OpsCall>();
        is_closed_set::<TokenOutcome>();
        is_closed_set::<ModerationAct>();
        is_closed_set::<Moderator>();
        is_closed_set::<Severity>();
        is_closed_set::<Listener>();
        is_closed_set::<Rejection>();
        is_closed_set::<IceKind>();
        is_closed_set::<IceTransport>();
        is_closed_set::<IceOutcome>();
        is_closed_set::<SocketRefusal>();
        is_closed_set::<StunOutcome>();
        is_closed_set::<WebhookDrop>();
        is_closed_set::<WebhookOutcome>();
        is_closed_set::<CandidateType>();
        is_closed_set::<PairFailure>();
        is_closed_set::<ReportKind>();
        is_closed_set::<ReportedError>();
        is_closed_set::<ReportDrop>();
        is_closed_set::<PairState>();
        is_closed_set::<MeshRoom>();
        is_closed_set::<RedisConnection>();
        is_closed_set::<RedisOperation>();
        is_closed_set::<RedisStatus>();
        is_closed_set::<Resync>();
    }

    #[test]
    fn merging_adds_label_by_label() {
        let mut a = Counts::<LeaveReason>::new();
        let mut b = a;
        a.add(LeaveReason::Left);
        b.add_n(LeaveReason::Left, 2);
        b.add(LeaveReason::Timeout);
        a.merge(&b);
        assert_eq!((a.get(LeaveReason::Left), a.get(LeaveReason::Timeout), a.total()), (3, 1, 4));
    }
}
