//! Who takes whose seat, who is sent away, and who is let in at all, against a naive model, over random histories.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use super::{
    Caps, ModerationCaps, ParkedCaps, SeatsOf, Shares,
    state::{Applicant, SupervisorState},
};
use crate::{
    limits::Rate,
    messages::moderation::{LOCK_OUTLIVES, ModerationError},
    protocol::{ErrorCode, RoomName, SessionId, Who, client::Identified},
};

const SESSIONS: usize = 8;
const ROOMS: usize = 2;
/// Small, so that rooms are full of ghosts.
const PEERS_PER_ROOM: usize = 3;
/// Every third session is that of the same person; of the rest, those of the third person do not say who they are.
const PERSONS: usize = 3;
/// Bans of one room; small, too.
const BANS: usize = 1;
const BAN: Duration = Duration::from_secs(100);

static NAMES: LazyLock<[RoomName; ROOMS]> =
    LazyLock::new(|| std::array::from_fn(|n| RoomName::parse(&format!("room-{n}"), 128).expect("a sane name")));

/// Who each person is in each room, if it says so.
static KNOWN: LazyLock<[[Option<Who>; ROOMS]; PERSONS]> = LazyLock::new(|| {
    let secret = |person: usize| format!("the secret of person {person}");
    let who = |person: usize, room: usize| (person + 1 < PERSONS).then(|| Who::of(&secret(person), &NAMES[room]));
    std::array::from_fn(|person| std::array::from_fn(|room| who(person, room)))
});

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(usize, usize, bool),
    Leave(usize),
    Away(usize),
    Back(usize),
    /// The room's actor dies, and that is found out.
    Lose(usize),
    /// The session is sent out of its room, and kept out or not.
    Kick(usize, bool),
    Lock(usize, bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    (0..100_u8, 0..SESSIONS, 0..ROOMS).prop_map(|(kind, session, room)| match kind {
        0..=49 => Step::Join(session, room, kind % 4 == 0),
        50..=56 => Step::Leave(session),
        57..=74 => Step::Away(session),
        75..=82 => Step::Back(session),
        83..=84 => Step::Lose(room),
        85..=91 => Step::Kick(session, kind % 2 == 0),
        92..=96 => Step::Lock(room, kind % 3 != 0),
        _ => Step::Wait(37 * (1 + session as u64)),
    })
}

/// One who sits somewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seat {
    session: usize,
    room: usize,
    away: bool,
}

struct World {
    sessions: Vec<SessionId>,
    now: Instant,
    rules: SupervisorState<usize, usize>,
    /// In the order of the joins.
    seats: Vec<Seat>,
    /// Who is kept out of a room, and until when.
    bans: Vec<(usize, Who, Instant)>,
    locked: [bool; ROOMS],
    /// When the last has gone, of a room that was there.
    ended: [Instant; ROOMS],
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let often = Rate::per_minute(1_000_000);
        let address = Shares { joins: often, refused_joins: often, new_rooms: often, rooms: 100, addresses: 100 };
        // One may be away in all: the rest is asked to end, and is a ghost until it has.
        let moderation = ModerationCaps { bans_per_room: BANS, gone: ROOMS };
        let parked = ParkedCaps { total: 1, per_room: 100, per_address: 100 };
        let caps = Caps { peers_per_room: PEERS_PER_ROOM, rooms: ROOMS, address, parked, moderation };
        Self {
            sessions: (0..SESSIONS).map(|_| SessionId::random()).collect(),
            now,
            rules: SupervisorState::new(caps, now),
            seats: Vec::new(),
            bans: Vec::new(),
            locked: [false; ROOMS],
            ended: [now; ROOMS],
        }
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Join(session, room, replace) => self.join(session, room, replace)?,
            Step::Leave(session) => {
                let left = self.rules.leave(self.sessions[session], self.now);
                prop_assert_eq!(left.is_some(), self.seats.iter().any(|seat| seat.session == session));
                self.unseat(session);
            }
            Step::Away(session) => {
                self.rules.away(self.sessions[session]);
                self.set_away(session, true);
            }
            Step::Back(session) => {
                self.rules.back(self.sessions[session]);
                self.set_away(session, false);
            }
            Step::Lose(room) => {
                if self.rules.lose(&NAMES[room], self.now).is_some() {
                    // Those who were in it can come back.
                    (self.locked[room], self.ended[room]) = (false, self.now);
                }
                self.seats.retain(|seat| seat.room != room);
            }
            Step::Kick(session, is_banned) => self.kick(session, is_banned)?,
            Step::Lock(room, locked) => self.lock(room, locked)?,
            Step::Wait(seconds) => self.now += Duration::from_secs(seconds),
        }
        self.check_moderation()?;
        let census = self.rules.census(self.now);
        let holding = |n: usize| (0..ROOMS).filter(|room| self.inside(*room) == n).count() as u64;
        prop_assert_eq!(census.peers, self.seats.len());
        prop_assert_eq!(census.occupancy, (1..=PEERS_PER_ROOM).map(holding).collect::<Vec<_>>());
        for session in 0..SESSIONS {
            let is_seated = self.seats.iter().any(|seat| seat.session == session);
            prop_assert_eq!(self.rules.seated(self.sessions[session]).is_some(), is_seated, "session {}", session);
        }
        Ok(())
    }

    fn join(&mut self, session: usize, room: usize, replace: bool) -> Result<(), TestCaseError> {
        let person = session % PERSONS;
        let identified = KNOWN[person][room].map(|who| Identified { who, replace });
        let is_same = |seat: &Seat| {
            identified.is_some() && seat.room == room && seat.session % PERSONS == person && (replace || seat.away)
        };
        let yielding: Vec<_> = self.seats.iter().filter(|seat| is_same(seat)).map(|seat| seat.session).collect();
        let expected = match () {
            () if self.seats.iter().any(|seat| seat.session == session) => Some(ErrorCode::AlreadyJoined),
            () if identified.is_some_and(|one| self.is_banned(room, one.who)) => Some(ErrorCode::Banned),
            () if self.is_locked(room) && yielding.is_empty() => Some(ErrorCode::RoomLocked),
            () if self.inside(room) - yielding.len() == PEERS_PER_ROOM => Some(ErrorCode::RoomFull),
            () => None,
        };
        let applicant = Applicant {
            session: self.sessions[session],
            member: session,
            subnet: None,
            cap: None,
            identified,
            user: None,
        };
        let was_there = self.inside(room) > 0;
        match self.rules.join(applicant, &NAMES[room], self.now, || room) {
            // That it frees nobody's seat is seen after every step.
            Err(refused) => prop_assert_eq!(Some(refused.code), expected),
            Ok(granted) => {
                prop_assert_eq!(expected, None);
                self.locked[room] = self.is_locked(room);
                let replaced: Vec<_> = granted.replaced.iter().map(|seat| seat.member).collect();
                prop_assert_eq!(&replaced, &yielding, "in the order of their joins");
                self.seats.retain(|seat| !replaced.contains(&seat.session));
                self.seats.push(Seat { session, room, away: false });
                prop_assert_eq!((granted.peers, granted.opened), (self.inside(room), !was_there));
                let ghosts = self.seats.iter().filter(|seat| seat.away && is_same(seat)).count();
                prop_assert_eq!(ghosts, 0, "an admitted join leaves no ghost of its own behind");
            }
        }
        Ok(())
    }

    fn kick(&mut self, session: usize, is_banned: bool) -> Result<(), TestCaseError> {
        let Some(Seat { room, .. }) = self.seats.iter().find(|seat| seat.session == session).copied() else {
            let kicked = self.rules.kick(&NAMES[0], SeatsOf::Session(self.sessions[session]), None, self.now);
            prop_assert!(kicked.is_err(), "who has no seat is not kicked");
            return Ok(());
        };
        let ban = is_banned.then_some(BAN);
        let kicked = self.rules.kick(&NAMES[room], SeatsOf::Session(self.sessions[session]), ban, self.now);
        let who = KNOWN[session % PERSONS][room].filter(|_| is_banned);
        let in_force = |world: &Self| world.bans_of(room).filter(|(_, other, _)| Some(*other) != who).count();
        if who.is_some() && in_force(self) == BANS {
            prop_assert!(matches!(kicked, Err(ModerationError::TooManyBans { .. })), "{:?}", kicked);
            return Ok(());
        }
        if is_banned && who.is_none() {
            prop_assert!(matches!(kicked, Err(ModerationError::NothingToBanBy)), "{:?}", kicked);
            return Ok(());
        }
        let left = kicked.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(left.iter().map(|left| left.seat.member).collect::<Vec<_>>(), [session], "it leaves once");
        if let Some(who) = who {
            self.bans.retain(|(other, one, _)| (*other, *one) != (room, who));
            self.bans.push((room, who, self.now + BAN));
        }
        self.unseat(session);
        Ok(())
    }

    fn lock(&mut self, room: usize, locked: bool) -> Result<(), TestCaseError> {
        let before = self.is_locked(room);
        let known = self.inside(room) > 0 || before && !locked;
        let changed = self.rules.lock(&NAMES[room], locked, self.now);
        prop_assert_eq!(changed, if known { Ok(before != locked) } else { Err(ModerationError::UnknownRoom) });
        if known {
            self.locked[room] = locked;
        }
        Ok(())
    }

    fn check_moderation(&self) -> Result<(), TestCaseError> {
        for (room, name) in NAMES.iter().enumerate() {
            let known = self.rules.bans(name, self.now).unwrap_or_default();
            prop_assert_eq!((known.locked, known.bans.len()), (self.is_locked(room), self.bans_of(room).count()));
        }
        Ok(())
    }

    fn bans_of(&self, room: usize) -> impl Iterator<Item = &(usize, Who, Instant)> {
        self.bans.iter().filter(move |(other, _, until)| *other == room && self.now < *until)
    }

    fn is_banned(&self, room: usize, who: Who) -> bool {
        self.bans_of(room).any(|(_, one, _)| *one == who)
    }

    fn is_locked(&self, room: usize) -> bool {
        self.locked[room] && (self.inside(room) > 0 || self.now < self.ended[room] + LOCK_OUTLIVES)
    }

    fn unseat(&mut self, session: usize) {
        if let Some(at) = self.seats.iter().position(|seat| seat.session == session) {
            let Seat { room, .. } = self.seats.remove(at);
            if self.inside(room) == 0 {
                self.ended[room] = self.now;
            }
        }
    }

    fn set_away(&mut self, session: usize, away: bool) {
        if let Some(seat) = self.seats.iter_mut().find(|seat| seat.session == session) {
            seat.away = away;
        }
    }

    fn inside(&self, room: usize) -> usize {
        self.seats.iter().filter(|seat| seat.room == room).count()
    }
}

proptest! {
    #![proptest_config(crate::protocol::histories::config())]

    #[test]
    fn a_join_takes_the_seats_of_its_own_ghosts_alone_and_passes_no_ban_and_no_lock(steps in prop::collection::vec(step(), 0..40)) {
        let mut world = World::new();
        steps.into_iter().try_for_each(|step| world.run(step))?;
        (0..SESSIONS).try_for_each(|session| world.run(Step::Leave(session)))?;
        prop_assert!(world.rules.is_blank(), "something of somebody is remembered");
    }
}
