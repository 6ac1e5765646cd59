//! Locks and bans, by room. Pure, like the rules it belongs to.
//!
//! Both outlive their room: a ban to its end, a lock for [`LOCK_OUTLIVES`]. Of rooms that are there as many are remembered as
//! there may be; of those that are gone, so many as `limits.moderated_rooms` says.

mod record;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    config::Settings,
    limits::Subnet,
    messages::moderation::{Ban, BanId, LOCK_OUTLIVES, RoomBans},
    protocol::{RoomName, SessionId, Who},
};

/// How often is looked for what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// How much may be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModerationCaps {
    /// `limits.bans_per_room`.
    pub bans_per_room: usize,
    /// `limits.moderated_rooms`: rooms that are gone.
    pub gone: usize,
}

impl From<&Settings> for ModerationCaps {
    fn from(settings: &Settings) -> Self {
        Self { bans_per_room: settings.limits.bans_per_room, gone: settings.limits.moderated_rooms }
    }
}

/// What a ban goes by: any one of these is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    /// The person.
    pub(super) who: Option<Who>,
    /// The user.
    pub(super) user: Option<Arc<str>>,
    /// The address.
    pub(super) subnet: Option<Subnet>,
}

impl Marks {
    fn are_of(&self, ban: &Ban) -> bool {
        self.who.is_some() && self.who == ban.who
            || self.subnet.is_some() && self.subnet == ban.subnet
            || self.user.is_some() && self.user == ban.user
    }

    /// Whether a ban by these would keep out nobody.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Of the seats of one room, those that a kick frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatsOf<'a> {
    /// That session.
    Session(SessionId),
    /// All sessions of that person.
    Who(Who),
    /// All sessions of that user.
    User(&'a Arc<str>),
}

/// Why a room lets somebody not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// It has a ban, for so long.
    Banned(Duration),
    /// It is locked.
    Locked,
}

/// The rooms with a lock or bans.
#[derive(Debug)]
pub(super) struct Moderation {
    caps: ModerationCaps,
    rooms: HashMap<RoomName, Moderated>,
    /// Those of them that are gone, in the order in which they ended.
    gone: BTreeMap<u64, RoomName>,
    next_gone: u64,
    next_ban: u64,
    /// Those that had to be forgotten since somebody asked.
    forgotten: u64,
    swept: Instant,
}

#[derive(Debug, Default)]
struct Moderated {
    locked: bool,
    bans: Vec<Ban>,
    /// Once the room is gone: its number there, and when its lock is over.
    gone: Option<(u64, Instant)>,
}

impl Moderated {
    fn is_locked(&self, now: Instant) -> bool {
        self.locked && self.gone.is_none_or(|(_, until)| now < until)
    }

    fn forget_over(&mut self, now: Instant) {
        self.bans.retain(|ban| now < ban.until);
        self.locked = self.is_locked(now);
    }

    fn is_void(&self) -> bool {
        !self.locked && self.bans.is_empty()
    }
}

impl Moderation {
    pub(super) fn new(caps: ModerationCaps, now: Instant) -> Self {
        let (rooms, gone) = (HashMap::new(), BTreeMap::new());
        Self { caps, rooms, gone, next_gone: 0, next_ban: 0, forgotten: 0, swept: now }
    }

    /// Whether a room lets somebody in who is to take a seat there, or the seat that it has left behind.
    pub(super) fn judge(
        &self,
        room: &RoomName,
        marks: impl FnOnce() -> Marks,
        replaces: bool,
        now: Instant,
    ) -> Result<(), Denial> {
        // Mostly there is none, and nobody pays for a look.
        if self.rooms.is_empty() {
            return Ok(());
        }
        let Some(moderated) = self.rooms.get(room) else { return Ok(()) };
        let marks = marks();
        let bans = moderated.bans.iter().filter(|ban| now < ban.until && marks.are_of(ban));
        if let Some(until) = bans.map(|ban| ban.until).max() {
            return Err(Denial::Banned(until - now));
        }
        if moderated.is_locked(now) && !replaces { Err(Denial::Locked) } else { Ok(()) }
    }

    /// Whether that room is locked.
    pub(super) fn is_locked(&self, room: &RoomName, now: Instant) -> bool {
        self.rooms.get(room).is_some_and(|moderated| moderated.is_locked(now))
    }

    /// Locks a room that is there, or unlocks any. Says whether that changes anything.
    pub(super) fn lock(&mut self, room: &RoomName, locked: bool, now: Instant) -> bool {
        let before = self.is_locked(room, now);
        if before != locked {
            self.change(room, now, |moderated| moderated.locked = locked);
        }
        before != locked
    }

    /// Bans whoever has one of these, in a room that is there. A ban that goes by the same lasts longer then, if this one ends
    /// later. All are made, or none.
    ///
    /// # Errors
    /// There would be more than may be; the time until the first is over.
    pub(super) fn ban(
        &mut self,
        room: &RoomName,
        marks: &[Marks],
        time: Duration,
        now: Instant,
    ) -> Result<(), Duration> {
        let mut bans = self.rooms.get(room).map(|moderated| moderated.bans.clone()).unwrap_or_default();
        bans.retain(|ban| now < ban.until);
        let first_over = bans.iter().map(|ban| ban.until - now).min().unwrap_or(time);
        for Marks { who, user, subnet } in marks.iter().cloned() {
            let until = now + time;
            let same = bans.iter_mut().find(|ban| (ban.who, &ban.user, ban.subnet) == (who, &user, subnet));
            if let Some(same) = same {
                same.until = same.until.max(until);
            } else {
                self.next_ban += 1;
                bans.push(Ban { id: BanId(self.next_ban), who, user, subnet, until });
            }
        }
        if bans.len() > self.caps.bans_per_room {
            return Err(first_over);
        }
        self.change(room, now, |moderated| moderated.bans = bans);
        Ok(())
    }

    /// What is in force there; `None`: nothing.
    pub(super) fn of(&self, room: &RoomName, now: Instant) -> Option<RoomBans> {
        let moderated = self.rooms.get(room)?;
        let bans = moderated.bans.iter().filter(|ban| now < ban.until).cloned().collect();
        let found = RoomBans { locked: moderated.is_locked(now), bans };
        (found != RoomBans::default()).then_some(found)
    }

    /// Lifts a ban. Says whether it was in force.
    pub(super) fn lift(&mut self, room: &RoomName, ban: BanId, now: Instant) -> bool {
        let in_force = |moderated: &Moderated| moderated.bans.iter().any(|one| one.id == ban && now < one.until);
        let found = self.rooms.get(room).is_some_and(in_force);
        if found {
            self.change(room, now, |moderated| moderated.bans.retain(|one| one.id != ban));
        }
        found
    }

    /// The room is there, perhaps again.
    pub(super) fn opened(&mut self, room: &RoomName, now: Instant) {
        if self.rooms.is_empty() {
            return;
        }
        self.change(room, now, |_| {});
        if let Some(moderated) = self.rooms.get_mut(room)
            && let Some((number, _)) = moderated.gone.take()
        {
            self.gone.remove(&number);
        }
    }

    /// It is gone. Of the rooms that are, one may have to be forgotten.
    pub(super) fn ended(&mut self, room: &RoomName, now: Instant) {
        if self.rooms.is_empty() {
            return;
        }
        self.change(room, now, |_| {});
        let Some(moderated) = self.rooms.get_mut(room) else { return };
        moderated.gone = Some((self.next_gone, now + LOCK_OUTLIVES));
        self.gone.insert(self.next_gone, room.clone());
        self.next_gone += 1;
        self.forget_longest_gone();
    }

    fn forget_longest_gone(&mut self) {
        while self.gone.len() > self.caps.gone
            && let Some((_, longest)) = self.gone.pop_first()
        {
            self.rooms.remove(&longest);
            self.forgotten += 1;
        }
    }

    /// How many had to be, since this was last asked.
    pub(super) fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }

    /// Forgets what is over, if it is time.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) < SWEEP_EVERY {
            return;
        }
        self.swept = now;
        let gone = &mut self.gone;
        self.rooms.retain(|_, moderated| {
            moderated.forget_over(now);
            if moderated.is_void()
                && let Some((number, _)) = moderated.gone
            {
                gone.remove(&number);
            }
            !moderated.is_void()
        });
    }

    /// Rooms that are locked, and bans, as far as it is known without a look at the time: both fall within a sweep.
    pub(super) fn in_force(&self) -> (usize, usize) {
        let rooms = || self.rooms.values();
        (rooms().filter(|room| room.locked).count(), rooms().map(|room| room.bans.len()).sum())
    }

    /// Bytes of all that.
    pub(super) fn bytes(&self) -> u64 {
        let ban = |ban: &Ban| size_of::<Ban>() + ban.user.as_ref().map_or(0, |user| user.len());
        let of = |(name, room): (&RoomName, &Moderated)| {
            size_of::<Moderated>() + name.as_str().len() + room.bans.iter().map(ban).sum::<usize>()
        };
        self.rooms.iter().map(of).sum::<usize>() as u64
    }

    /// Whether nothing is remembered of rooms that are there.
    pub(super) fn is_blank(&self) -> bool {
        self.rooms.len() == self.gone.len()
    }

    /// Changes what is known of a room, and forgets what is over then.
    fn change(&mut self, room: &RoomName, now: Instant, change: impl FnOnce(&mut Moderated)) {
        let mut moderated = self.rooms.remove(room).unwrap_or_default();
        moderated.forget_over(now);
        change(&mut moderated);
        if !moderated.is_void() {
            self.rooms.insert(room.clone(), moderated);
        } else if let Some((number, _)) = moderated.gone {
            self.gone.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests;
