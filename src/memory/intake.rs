//! How much the kernel may take in for each connection before anybody reads it. It does so whatever this process has time for, and
//! faster than any watch looks: ten thousand buffers of the usual size are several budgets, and are filled within half a second. So
//! each is the smaller the more connections there are, and all together are within a part of the budget, full as they may be.

/// The part of the budget that is for what the kernel has taken in.
const PART: u64 = 4;
/// The kernel uses twice what it is asked for.
const DOUBLED: u64 = 2;
/// No connection has less, whatever that comes to: a window that is smaller than two packets stops the sender at each. It is also what
/// is taken in for a connection that is read no further.
pub const LEAST_INTAKE: usize = 4096;

/// The rule of one arbiter.
#[derive(Debug, Clone, Copy)]
pub struct Intake {
    /// What its connections may take in together.
    all: u64,
    /// What each takes in where they are few.
    usual: usize,
}

impl Intake {
    /// With so many arbiters in a budget of so many bytes (0: there is none), and so many bytes for each connection where they are few.
    #[must_use]
    pub fn new(budget: u64, arbiters: usize, usual: usize) -> Self {
        let all = if budget == 0 { u64::MAX } else { budget / PART / arbiters.max(1) as u64 };
        Self { all, usual }
    }

    /// What each takes in where they are few.
    #[must_use]
    pub fn usual(&self) -> usize {
        self.usual
    }

    /// What each takes in where there are so many, and each took in `now` so far. It is more again only when it would be so with a
    /// quarter more of them: those that come and go change nothing.
    #[must_use]
    pub fn of_each(&self, connections: usize, now: usize) -> usize {
        let each = self.fitting(connections);
        if each <= now { each } else { self.fitting(connections.saturating_add(connections / 4)).max(now) }
    }

    /// In halves of what is usual, so that it seldom changes.
    fn fitting(&self, connections: usize) -> usize {
        let fits = self.all / DOUBLED / connections.max(1) as u64;
        let mut each = self.usual;
        while each as u64 > fits && each / 2 >= LEAST_INTAKE {
            each /= 2;
        }
        each
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::*;

    const KIB: usize = 1 << 10;

    #[test]
    fn the_more_connections_there_are_the_less_is_taken_in_for_each() {
        let intake = Intake::new(256 << 20, 2, 64 * KIB);
        let of_each = |connections| intake.of_each(connections, 64 * KIB) / KIB;
        assert_eq!(
            [0, 1, 256, 257, 512, 513, 1024, 1025, 2048, 2049, 4096, 4097, 1_000_000].map(of_each),
            [64, 64, 64, 32, 32, 16, 16, 8, 8, 4, 4, 4, 4]
        );
        assert_eq!(
            Intake::new(0, 2, 64 * KIB).of_each(1_000_000, 64 * KIB),
            64 * KIB,
            "without a budget there is no bound"
        );
        assert_eq!(Intake::new(1, 2, 4096).of_each(9, 4096), 4096);
        assert_eq!(Intake::new(1, 2, 5000).of_each(9, 5000), 5000, "nothing less than the least");
    }

    #[test]
    fn it_is_more_again_when_they_are_clearly_fewer() {
        let intake = Intake::new(256 << 20, 2, 64 * KIB);
        let of_each = |connections| intake.of_each(connections, 32 * KIB) / KIB;
        assert_eq!([512, 300, 256, 206, 205, 1].map(of_each), [32, 32, 32, 32, 64, 64]);
    }

    proptest! {
        /// Together they are within their part, or each takes in next to the least; and what has become more stays so when a tenth comes back.
        #[test]
        fn all_together_are_within_their_part(counts in prop::collection::vec(1_usize..20_000, 1..40), budget in 1_u64 << 24..1 << 32) {
            let intake = Intake::new(budget, 2, 64 * KIB);
            let mut now = intake.usual();
            for count in counts {
                now = intake.of_each(count, now);
                let all = 2 * 2 * (now * count) as u64;
                assert!(all <= budget / PART || now < 2 * LEAST_INTAKE, "{count} connections take in {now} bytes each");
                let fewer = intake.of_each(count - count / 10, now);
                assert_eq!(intake.of_each(count, fewer), fewer, "{count}: more when a tenth has gone, and less when it is back");
            }
        }
    }
}
