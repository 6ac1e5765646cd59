//! A resume buffer on its way through a restart.

use super::{Former, Numbering, ResumeBuffer};
use crate::{
    messages::{GoodSecrets, ResumeSecrets},
    protocol::{Meta, Who},
    store::{BufferRecord, CountsRecord, FormerRecord},
};

impl From<Numbering> for CountsRecord {
    fn from(Numbering { sent, acked, handled }: Numbering) -> Self {
        Self { sent, acked, handled }
    }
}

impl From<CountsRecord> for Numbering {
    fn from(CountsRecord { sent, acked, handled }: CountsRecord) -> Self {
        Self { sent, acked, handled }
    }
}

impl ResumeBuffer {
    /// As it is now. The frames are shared with it.
    #[must_use]
    pub fn to_record(&self) -> BufferRecord {
        let GoodSecrets { current, former } = self.secrets.good();
        let frozen = self.former.as_ref().and_then(|former| former.frozen);
        BufferRecord {
            secret: current,
            former: former.map(|secret| FormerRecord { secret, frozen: frozen.map(CountsRecord::from) }),
            is_confirmed: self.confirmed,
            counts: self.counts.into(),
            has_gap: self.gap,
            frames: self.unacked.iter().cloned().collect(),
        }
    }

    /// As it was in another process.
    #[must_use]
    pub fn restored(record: BufferRecord, meta: Option<Meta>, who: Option<Who>) -> Self {
        let BufferRecord { secret, former, is_confirmed, counts, has_gap, frames } = record;
        let good = GoodSecrets { current: secret, former: former.map(|former| former.secret) };
        Self {
            secrets: ResumeSecrets::restored(good),
            former: former.map(|former| Box::new(Former { frozen: former.frozen.map(Numbering::from) })),
            confirmed: is_confirmed,
            counts: counts.into(),
            bytes: frames.iter().map(bytes::Bytes::len).sum(),
            unacked: frames.into(),
            gap: has_gap,
            meta,
            who: who.map(Box::new),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::{Keep, Resumed};
    use super::*;
    use crate::protocol::ResumeSecret;

    fn through_a_restart(buffer: &ResumeBuffer) -> ResumeBuffer {
        ResumeBuffer::restored(buffer.to_record(), buffer.meta.clone(), None)
    }

    proptest! {
        /// Of two buffers with the same history, one goes through a restart after every step.
        #[test]
        fn a_restart_changes_nothing_of_what_a_client_is_told(
            steps in prop::collection::vec((0..6_u8, 0..12_u64), 0..60),
        ) {
            let keep = Keep { frames: 4, bytes: 1000 };
            let mut current = ResumeSecret::random();
            let mut former = current;
            let (mut one, mut other) = (ResumeBuffer::new(current), ResumeBuffer::new(current));
            for (step, number) in steps {
                match step {
                    0 | 1 => [&mut one, &mut other].map(|buffer| buffer.record(&Bytes::from(vec![b'x'; 5]), keep)).into_iter().collect(),
                    2 => [&mut one, &mut other].map(ResumeBuffer::handled).into_iter().collect(),
                    3 => [&mut one, &mut other].map(ResumeBuffer::confirm).into_iter().collect(),
                    4 => prop_assert_eq!(one.acked(number), other.acked(number)),
                    _ => {
                        let used = if number % 2 == 0 { current } else { former };
                        prop_assert_eq!(one.knows(&used), other.knows(&used));
                        if one.knows(&used) {
                            let next = ResumeSecret::random();
                            let told = one.resume(&used, number, next);
                            let is_granted = matches!(told, Ok(Resumed { .. }));
                            prop_assert_eq!(told, other.resume(&used, number, next));
                            if is_granted {
                                (former, current) = (used, next);
                            }
                        }
                    }
                }
                other = through_a_restart(&other);
                prop_assert_eq!((one.kept(), one.ack(), one.may_park()), (other.kept(), other.ack(), other.may_park()));
            }
        }
    }
}
