//! Locks and bans on their way through a restart.

use super::{Moderated, Moderation};
use crate::{
    messages::moderation::{Ban, BanId, LOCK_OUTLIVES},
    store::{BanRecord, ModerationRecord},
    utc::Clocks,
};

impl Moderation {
    /// What is in force. Of a room that is there, its lock lasts as if everybody left now: somebody may come back to it, or nobody.
    pub(in crate::supervisor) fn records(&self, clocks: Clocks) -> Vec<ModerationRecord> {
        // Those that ended first are first, as they are forgotten first.
        let mut rooms: Vec<_> = self.rooms.iter().collect();
        rooms.sort_by_key(|(_, moderated)| moderated.gone.map_or(u64::MAX, |(number, _)| number));
        let records = rooms.into_iter().map(|(room, moderated)| {
            let until = moderated.gone.map_or(clocks.now + LOCK_OUTLIVES, |(_, until)| until);
            let locked_until_ms = moderated.is_locked(clocks.now).then(|| clocks.to_ms(until));
            let bans = moderated.bans.iter().filter(|ban| clocks.now < ban.until);
            let bans = bans.map(|ban| BanRecord {
                id: ban.id.0,
                who: ban.who,
                user: ban.user.as_deref().map(str::to_owned),
                subnet: ban.subnet,
                until_ms: clocks.to_ms(ban.until),
            });
            ModerationRecord { room: room.clone(), locked_until_ms, bans: bans.collect() }
        });
        records.filter(|record| record.locked_until_ms.is_some() || !record.bans.is_empty()).collect()
    }

    /// What was in force in the process before, with the time that is left of it. No room is there yet; those that are restored
    /// say so, and until then none is forgotten for being one too many: what is there to be restored is bounded by `state.max_bytes`.
    pub(in crate::supervisor) fn restore(&mut self, records: Vec<ModerationRecord>, clocks: Clocks) {
        for ModerationRecord { room, locked_until_ms, bans } in records {
            let until = locked_until_ms.map_or(clocks.now, |ms| clocks.to_instant(ms));
            let ban = |BanRecord { id, who, user, subnet, until_ms }| Ban {
                id: BanId(id),
                who,
                user: user.map(Into::into),
                subnet,
                until: clocks.to_instant(until_ms),
            };
            let bans: Vec<_> = bans.into_iter().take(self.caps.bans_per_room).map(ban).collect();
            self.next_ban = bans.iter().map(|ban| ban.id.0).fold(self.next_ban, u64::max);
            let locked = locked_until_ms.is_some();
            let mut moderated = Moderated { locked, bans, gone: Some((self.next_gone, until)) };
            moderated.forget_over(clocks.now);
            if !moderated.is_void() && self.rooms.insert(room.clone(), moderated).is_none() {
                self.gone.insert(self.next_gone, room);
                self.next_gone += 1;
            }
        }
    }
}
