//! The rules of seats and rooms against a naive model, over random histories.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::prelude::{Strategy, prop, prop_assert, prop_assert_eq, proptest};
use proptest::test_runner::TestCaseError;

use super::{
    Caps, Excess, ModerationCaps, ParkedCaps, Shares,
    outcomes::GivenUp,
    state::{Applicant, SupervisorState},
};
use crate::{
    limits::{Bucket, Rate, Subnet},
    messages::supervisor::Census,
    protocol::{ErrorCode, RoomName, SessionId},
};

const SESSIONS: usize = 8;
const ROOMS: usize = 4;
/// Of the sessions, one in so many comes from each address; the first address has no limits.
const ADDRESSES: usize = 3;
/// Small, so that random histories meet them, as those below.
const PEERS_PER_ROOM: usize = 3;
const MOST_ROOMS: usize = 3;
const ROOMS_PER_ADDRESS: usize = 1;
const CAPS: ParkedCaps = ParkedCaps { total: 3, per_room: 1, per_address: 2 };

fn joins() -> Rate {
    Rate::new(6, Duration::from_secs(60), 5)
}

fn refused_joins() -> Rate {
    Rate::new(2, Duration::from_secs(60), 2)
}

fn new_rooms() -> Rate {
    Rate::new(3, Duration::from_secs(60), 3)
}

fn limits() -> Caps {
    let (rooms, addresses) = (ROOMS_PER_ADDRESS, ADDRESSES);
    let address = Shares { joins: joins(), refused_joins: refused_joins(), new_rooms: new_rooms(), rooms, addresses };
    let moderation = ModerationCaps { bans_per_room: 1, gone: 1 };
    Caps { peers_per_room: PEERS_PER_ROOM, rooms: MOST_ROOMS, address, parked: CAPS, moderation }
}

fn subnet(session: usize) -> Option<Subnet> {
    let address = session % ADDRESSES;
    (address > 0).then(|| Subnet::of([192, 0, 2, u8::try_from(address).expect("few")].into()))
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(usize, usize),
    Leave(usize),
    /// The client is away; or it is said so of one that is in no room, or away already.
    Park(usize),
    /// It is back; or as above.
    Resume(usize),
    /// The room's actor dies, unnoticed as yet.
    Kill(usize),
    Sweep,
    Wait(u64),
    StopJoins,
}

fn step() -> impl Strategy<Value = Step> {
    (0..100_u8, 0..SESSIONS, 0..ROOMS, 0..40_u64).prop_map(|(kind, session, room, seconds)| match kind {
        0..=44 => Step::Join(session, room),
        45..=57 => Step::Leave(session),
        58..=73 => Step::Park(session),
        74..=79 => Step::Resume(session),
        80..=86 => Step::Kill(room),
        87..=91 => Step::Sweep,
        92..=98 => Step::Wait(seconds),
        _ => Step::StopJoins,
    })
}

/// One incarnation of a room, as the rules hold it: a number.
type Incarnation = usize;

/// The rules under test, and a model that writes down everything that happened and counts it anew each time.
struct World {
    sessions: Vec<SessionId>,
    rooms: Vec<RoomName>,
    start: Instant,
    now: Instant,
    rules: SupervisorState<usize, Incarnation>,
    seats: BTreeMap<usize, (usize, Instant)>,
    /// With the address of who opened it.
    open: BTreeMap<usize, (Incarnation, Instant, usize)>,
    buckets: [Bucket; ADDRESSES],
    refused: [Bucket; ADDRESSES],
    new_rooms: [Bucket; ADDRESSES],
    dead: BTreeSet<Incarnation>,
    /// Who is away, longest first.
    away: Vec<usize>,
    /// Who is away and was asked to end.
    going: BTreeSet<usize>,
    started: Incarnation,
    joins: Vec<(usize, Instant)>,
    leaves: Vec<(usize, Instant)>,
    draining: bool,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let room = |n: usize| RoomName::parse(&format!("room-{n}"), 128).expect("a sane name");
        Self {
            sessions: (0..SESSIONS).map(|_| SessionId::random()).collect(),
            rooms: (0..ROOMS).map(room).collect(),
            start: now,
            now,
            rules: SupervisorState::new(limits(), now),
            seats: BTreeMap::new(),
            open: BTreeMap::new(),
            buckets: [Bucket::full(now); ADDRESSES],
            refused: [Bucket::full(now); ADDRESSES],
            new_rooms: [Bucket::full(now); ADDRESSES],
            dead: BTreeSet::new(),
            away: Vec::new(),
            going: BTreeSet::new(),
            started: 0,
            joins: Vec::new(),
            leaves: Vec::new(),
            draining: false,
        }
    }

    fn run(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Join(session, room) => self.join(session, room)?,
            Step::Leave(session) => self.leave(session)?,
            Step::Park(session) => self.park(session)?,
            Step::Resume(session) => self.resume(session),
            Step::Kill(room) => self.dead.extend(self.open.get(&room).map(|(incarnation, ..)| *incarnation)),
            Step::Sweep => self.sweep()?,
            Step::Wait(seconds) => self.now += Duration::from_millis(seconds * 997),
            Step::StopJoins => {
                self.rules.take_joins(false);
                self.draining = true;
            }
        }
        let fullest = (0..ROOMS).map(|room| self.peers(room)).max();
        prop_assert!(fullest <= Some(PEERS_PER_ROOM) && self.open.len() <= MOST_ROOMS, "a cap is exceeded");
        prop_assert_eq!(self.rules.census(self.now), self.recount());
        self.check_away()
    }

    fn join(&mut self, session: usize, room: usize) -> Result<(), TestCaseError> {
        let expected = self.expected_refusal(session, room);
        let mut opened = false;
        let incarnation = self.started;
        let open = || {
            opened = true;
            incarnation
        };
        let (member, subnet) = (session, subnet(session));
        let applicant =
            Applicant { session: self.sessions[session], member, subnet, cap: None, identified: None, user: None };
        let answer = self.rules.join(applicant, &self.rooms[room], self.now, open);
        prop_assert_eq!(opened, expected.is_none() && !self.open.contains_key(&room), "a room starts when it must");
        match answer {
            Err(refused) => {
                prop_assert_eq!(Some(refused.code), expected);
                prop_assert_eq!(refused.retry_after.is_some(), refused.code == ErrorCode::RateLimited);
            }
            Ok(granted) => {
                prop_assert_eq!(expected, None);
                self.started += 1;
                let (ports, ..) = *self.open.entry(room).or_insert((incarnation, self.now, session % ADDRESSES));
                self.seats.insert(session, (room, self.now));
                self.joins.push((session, self.now));
                prop_assert_eq!((granted.port, granted.peers), (ports, self.peers(room)));
                self.make_room(session, granted.given_up)?;
            }
        }
        Ok(())
    }

    /// Which rule forbids a join; asked once for each, since each counts.
    fn expected_refusal(&mut self, session: usize, room: usize) -> Option<ErrorCode> {
        let from = session % ADDRESSES;
        let opened = self.open.values().filter(|(.., address)| *address == from).count();
        let share_used = from > 0 && opened == ROOMS_PER_ADDRESS;
        let no_room_left = !self.open.contains_key(&room) && (self.open.len() == MOST_ROOMS || share_used);
        let now = self.now;
        let refused_too_often = !self.refused[from].wait(refused_joins(), now).is_zero();
        let mut too_many = || from > 0 && (refused_too_often || self.buckets[from].take(joins(), now).is_err());
        let is_new = !self.seats.iter().any(|(other, (inside, _))| other % ADDRESSES == from && *inside == room);
        let mut too_many_rooms = || from > 0 && is_new && self.new_rooms[from].take(new_rooms(), now).is_err();
        let expected = match () {
            () if self.draining => Some(ErrorCode::ServerDraining),
            () if self.seats.contains_key(&session) => Some(ErrorCode::AlreadyJoined),
            () if too_many() || too_many_rooms() => Some(ErrorCode::RateLimited),
            () if self.peers(room) == PEERS_PER_ROOM => Some(ErrorCode::RoomFull),
            () if no_room_left => Some(ErrorCode::RoomLimit),
            () => None,
        };
        if from > 0 && matches!(expected, Some(ErrorCode::RoomFull | ErrorCode::RoomLimit)) {
            self.refused[from].take(refused_joins(), now).expect("it was asked before");
        }
        expected
    }

    fn leave(&mut self, session: usize) -> Result<(), TestCaseError> {
        let left = self.rules.leave(self.sessions[session], self.now);
        let Some((room, since)) = self.seats.remove(&session) else {
            // Refused, evicted or gone before: it frees nobody's seat (the census is compared after every step).
            prop_assert!(left.is_none());
            return Ok(());
        };
        self.unseat(session);
        let (incarnation, opened, _) = self.open[&room];
        let last = self.peers(room) == 0;
        let left = left.ok_or_else(|| TestCaseError::fail("a seat was not freed"))?;
        prop_assert_eq!((left.seat.member, left.seat.stayed), (session, self.now - since));
        prop_assert_eq!((&left.room, left.port), (&self.rooms[room], incarnation));
        prop_assert_eq!(left.ended, last.then(|| self.now - opened));
        if last {
            self.open.remove(&room);
        }
        self.leaves.push((session, self.now));
        Ok(())
    }

    fn sweep(&mut self) -> Result<(), TestCaseError> {
        let lost = self.rules.sweep(self.now, |incarnation| !self.dead.contains(incarnation));
        let mut evicted: Vec<_> = lost.iter().flat_map(|l| l.seats.iter().map(|s| s.member)).collect();
        evicted.sort_unstable();
        let is_dead = |room: &usize| self.dead.contains(&self.open[room].0);
        let expected: Vec<_> = self.seats.iter().filter(|(_, (room, _))| is_dead(room)).map(|(s, _)| *s).collect();
        prop_assert_eq!(&evicted, &expected, "everybody in a dead room is evicted, and nobody else");
        prop_assert_eq!(lost.len(), self.open.keys().filter(|room| is_dead(room)).count());
        for session in evicted {
            self.seats.remove(&session);
            self.unseat(session);
            self.leaves.push((session, self.now));
        }
        self.open.retain(|_, (incarnation, ..)| !self.dead.contains(incarnation));
        Ok(())
    }

    fn park(&mut self, session: usize) -> Result<(), TestCaseError> {
        let given_up = self.rules.away(self.sessions[session]);
        let here = self.seats.contains_key(&session) && !self.away.contains(&session) && !self.going.contains(&session);
        if !here {
            prop_assert_eq!(given_up, None);
            return Ok(());
        }
        self.away.push(session);
        let (room, from) = (self.seats[&session].0, session % ADDRESSES);
        let beside: Vec<_> = self.away_of(from).filter(|other| self.seats[other].0 == room).collect();
        let crowded = from > 0 && beside.len() > CAPS.per_room;
        match given_up {
            Some(GivenUp { excess: Excess::Room, session: goes }) => {
                prop_assert!(crowded && goes == self.sessions[beside[0]], "the one away for longest, in that room");
            }
            Some(GivenUp { excess: Excess::Total, session: goes }) => {
                prop_assert!(!crowded && self.away.len() > CAPS.total);
                let held: Vec<_> = (0..ADDRESSES).map(|from| self.away_of(from).count()).collect();
                let most = (0..ADDRESSES).filter(|from| Some(&held[*from]) == held.iter().max());
                let mut longest = most.filter_map(|from| self.away_of(from).next());
                prop_assert!(longest.any(|one| self.sessions[one] == goes), "away for longest, of who holds most");
            }
            Some(other) => prop_assert!(false, "{:?}", other),
            None => prop_assert!(!crowded && self.away.len() <= CAPS.total),
        }
        self.goes(given_up);
        Ok(())
    }

    /// Of an address that has too many seats now, the one that is away for longest makes room.
    fn make_room(&mut self, session: usize, given_up: Option<GivenUp>) -> Result<(), TestCaseError> {
        let from = session % ADDRESSES;
        let held = self.seats.keys().filter(|one| **one % ADDRESSES == from && !self.going.contains(one)).count();
        let longest = self.away_of(from).next().filter(|_| from > 0 && held > CAPS.per_address);
        let expected = longest.map(|one| GivenUp { session: self.sessions[one], excess: Excess::Address });
        prop_assert_eq!(given_up, expected);
        self.goes(given_up);
        Ok(())
    }

    fn goes(&mut self, given_up: Option<GivenUp>) {
        if let Some(GivenUp { session, .. }) = given_up {
            let who = self.sessions.iter().position(|one| *one == session).expect("one of ours");
            self.away.retain(|one| *one != who);
            self.going.insert(who);
        }
    }

    fn resume(&mut self, session: usize) {
        self.rules.back(self.sessions[session]);
        self.unseat(session);
    }

    /// It is not away any more, whatever else it is.
    fn unseat(&mut self, session: usize) {
        self.away.retain(|one| *one != session);
        self.going.remove(&session);
    }

    fn away_of(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        self.away.iter().copied().filter(move |one| one % ADDRESSES == from)
    }

    fn check_away(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.rules.parked(), self.away.len());
        prop_assert!(self.away.len() <= CAPS.total, "more are away than may be");
        for (from, room) in (1..ADDRESSES).flat_map(|from| (0..ROOMS).map(move |room| (from, room))) {
            let away = self.away_of(from).filter(|one| self.seats[one].0 == room).count();
            prop_assert!(away <= CAPS.per_room, "an address keeps {away} seats in one room");
        }
        Ok(())
    }

    fn peers(&self, room: usize) -> usize {
        self.seats.values().filter(|(r, _)| *r == room).count()
    }

    fn recount(&self) -> Census {
        let second = |at: Instant| (at - self.start).as_secs();
        let recent =
            |log: &[(usize, Instant)]| log.iter().filter(|(_, at)| second(*at) + 60 > second(self.now)).count();
        let holding = |n: usize| (0..ROOMS).filter(|room| self.peers(*room) == n).count();
        Census {
            rooms: (0..ROOMS).filter(|room| self.peers(*room) > 0).count(),
            peers: self.seats.len(),
            // Nobody says who it is.
            users: 0,
            joins_per_minute: recent(&self.joins) as u64,
            leaves_per_minute: recent(&self.leaves) as u64,
            locked_rooms: 0,
            bans: 0,
            ban_bytes: 0,
            occupancy: (1..=PEERS_PER_ROOM).map(|n| holding(n) as u64).collect(),
        }
    }

    /// Everybody hangs up: nothing may remain, and each membership has ended once.
    fn end(&mut self) -> Result<(), TestCaseError> {
        (0..SESSIONS).try_for_each(|session| self.run(Step::Leave(session)))?;
        let census = self.rules.census(self.now);
        prop_assert_eq!((census.rooms, census.peers), (0, 0));
        prop_assert!(self.rules.is_blank(), "something of somebody is remembered");
        for session in 0..SESSIONS {
            let of = |log: &[(usize, Instant)]| log.iter().filter(|(s, _)| *s == session).count();
            prop_assert_eq!(of(&self.joins), of(&self.leaves), "every join has exactly one leave");
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(crate::protocol::histories::config())]

    #[test]
    fn seats_rooms_and_counts_equal_a_naive_recount(steps in prop::collection::vec(step(), 0..40)) {
        let mut world = World::new();
        steps.into_iter().try_for_each(|step| world.run(step))?;
        world.end()?;
    }
}

#[test]
fn churn_forgets_what_is_a_minute_old() {
    let mut world = World::new();
    let mut per_minute = |steps: &[Step]| {
        for step in steps {
            world.run(*step).expect("the model agrees");
        }
        let census = world.rules.census(world.now);
        (census.joins_per_minute, census.leaves_per_minute)
    };
    assert_eq!(per_minute(&[Step::Join(0, 0), Step::Wait(30), Step::Leave(0)]), (1, 1));
    assert_eq!(per_minute(&[Step::Wait(30)]), (1, 1), "59.8 s after the join");
    assert_eq!(per_minute(&[Step::Wait(1)]), (0, 1));
    assert_eq!(per_minute(&[Step::Wait(30)]), (0, 0));
}
