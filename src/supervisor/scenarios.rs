//! A running supervisor, with real rooms and with rooms that die, and sessions that record what they receive. The clock
//! stands still unless a test moves it.

use std::{any::Any, sync::Arc, time::Duration};

use actix::{Actor, Addr, Arbiter, Context, Handler, Message, MessageResult};
use tokio::time::{Instant, advance, pause};

use super::{Caps, ModerationCaps, ParkedCaps, Shares, Supervisor, SupervisorConfig};
use crate::{
    limits::{Rate, Subnet},
    messages::{
        Note,
        room::{RoomPort, ToRoom},
        session::{Control, JoinError, Member, News, ToSession},
        supervisor::{Census, Join, Leave, Presence, StopJoins},
    },
    protocol::{ErrorCode, LeaveReason, RoomName, Who, client::Identified},
    room::{Room, fake::FakeSession},
    telemetry::{self, LimitHit, Reconnection},
};

/// The room of this name is [`Fragile`].
const FRAGILE: &str = "fragile";

/// A room that dies of its second peer, and sends nothing to anybody before.
struct Fragile {
    peers: usize,
    _guard: Box<dyn Any + Send>,
}

impl Actor for Fragile {
    type Context = Context<Self>;
}

impl Handler<ToRoom> for Fragile {
    type Result = ();

    fn handle(&mut self, message: ToRoom, _: &mut Self::Context) {
        if matches!(message, ToRoom::Admit(_)) {
            self.peers += 1;
            assert!(self.peers < 2, "this room dies of its second peer, as the test wants");
        }
    }
}

/// What the supervisor answers to a join, handed to the test.
#[derive(Message)]
#[rtype(result = "Result<usize, JoinError>")]
pub(super) struct Ask(pub(super) Join);

impl Handler<Ask> for Supervisor {
    type Result = Result<usize, JoinError>;

    fn handle(&mut self, Ask(join): Ask, _: &mut Self::Context) -> Self::Result {
        self.join(join).map_err(|join_failed| join_failed.refused)
    }
}

pub(super) fn limits() -> Caps {
    let (joins, often) = (Rate::per_minute(4), Rate::per_minute(10));
    let address = Shares { joins, refused_joins: Rate::per_minute(2), new_rooms: often, rooms: 1, addresses: 10 };
    let moderation = ModerationCaps { bans_per_room: 2, gone: 2 };
    let parked = ParkedCaps { total: 100, per_room: 100, per_address: 100 };
    Caps { peers_per_room: 3, rooms: 2, address, parked, moderation }
}

pub(super) fn start() -> Addr<Supervisor> {
    pause();
    let _ = telemetry::take();
    let spawn = |name: RoomName, capacity, guard| {
        if name.as_str() == FRAGILE {
            RoomPort::new(Fragile { peers: 0, _guard: guard }.start().recipient())
        } else {
            Room::open(&Arbiter::current(), name, capacity, guard)
        }
    };
    let config = SupervisorConfig { caps: limits(), wrong_secrets: Rate::per_minute(2) };
    Supervisor::new(config, Box::new(spawn)).start()
}

pub(super) async fn join(supervisor: &Addr<Supervisor>, member: &Arc<Member>, room: &str) -> Result<usize, JoinError> {
    rejoin(supervisor, member, room, 0).await
}

/// That one asks for a seat there, for the first time.
pub(super) fn wish(member: &Arc<Member>, room: &str) -> Join {
    let (member, room) = (Arc::clone(member), RoomName::parse(room, 128).expect("a sane name"));
    Join {
        member,
        room,
        meta: None,
        attempt: 0,
        join_seq: 7,
        resumable: true,
        subnet: None,
        identified: None,
        grant: None,
    }
}

async fn rejoin(
    supervisor: &Addr<Supervisor>,
    member: &Arc<Member>,
    room: &str,
    attempt: u32,
) -> Result<usize, JoinError> {
    supervisor.send(Ask(Join { attempt, ..wish(member, room) })).await.expect("the supervisor lives")
}

pub(super) async fn leave(supervisor: &Addr<Supervisor>, member: &Member) {
    let message = Leave { session: member.session, reason: LeaveReason::Left };
    supervisor.send(message).await.expect("the supervisor lives");
}

/// What the supervisor holds at this moment.
#[derive(Message)]
#[rtype(result = "Census")]
struct TakeCensus;

impl Handler<TakeCensus> for Supervisor {
    type Result = MessageResult<TakeCensus>;

    fn handle(&mut self, _: TakeCensus, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.state.census(Instant::now().into_std()))
    }
}

async fn census(supervisor: &Addr<Supervisor>) -> Census {
    supervisor.send(TakeCensus).await.expect("the supervisor lives")
}

fn refused(code: ErrorCode) -> Result<usize, JoinError> {
    Err(JoinError::new(code))
}

#[actix::test]
async fn a_refused_joiner_that_hangs_up_frees_nobodys_seat() {
    let supervisor = start();
    let session = FakeSession::new();
    let members: Vec<_> = (0..4).map(|_| session.member()).collect();
    for (already, member) in members.iter().take(3).enumerate() {
        assert_eq!(join(&supervisor, member, "a").await, Ok(already + 1));
    }
    assert_eq!(join(&supervisor, &members[3], "a").await, refused(ErrorCode::RoomFull));
    leave(&supervisor, &members[3]).await;
    assert_eq!(join(&supervisor, &session.member(), "a").await, refused(ErrorCode::RoomFull));
    assert_eq!(census(&supervisor).await.occupancy, [0, 0, 1]);
}

#[actix::test]
async fn an_address_has_its_share_of_rooms_and_joins_and_no_more() {
    let supervisor = start();
    let school = Some(Subnet::of([192, 0, 2, 7].into()));
    let session = FakeSession::new();
    let member = session.member();
    let ask = async |room: &str| {
        let message = Join { subnet: school, ..wish(&member, room) };
        supervisor.send(Ask(message)).await.expect("the supervisor lives")
    };
    let other = session.member();
    assert!(join(&supervisor, &other, "b").await.is_ok(), "who has no address is not counted");
    let opener = Join { subnet: school, ..wish(&session.member(), "a") };
    assert!(supervisor.send(Ask(opener)).await.expect("the supervisor lives").is_ok());
    leave(&supervisor, &other).await;
    let share = JoinError::of_address(ErrorCode::RoomLimit, None, LimitHit::RoomsPerAddress);
    assert_eq!(ask("b").await, Err(share));
    assert!(ask("a").await.is_ok(), "a room that is there can be joined");
    leave(&supervisor, &member).await;
    assert!(ask("a").await.is_ok());
    leave(&supervisor, &member).await;
    let refused = ask("a").await.expect_err("the fifth join within a minute");
    assert_eq!((refused.code, refused.retry_after), (ErrorCode::RateLimited, Some(Duration::from_secs(15))));
    assert_eq!(census(&supervisor).await.peers, 1, "a refused join frees nobody's seat");
    advance(Duration::from_secs(15)).await;
    assert!(ask("a").await.is_ok());
    let counts = telemetry::take().expect("counts");
    assert_eq!(counts.limit_hits.get(LimitHit::RoomsPerAddress), 1);
    assert_eq!(counts.limit_hits.get(LimitHit::JoinsPerMinute), 1);
}

#[actix::test]
async fn a_session_hears_of_a_refusal_and_the_room_answers_a_join_that_is_granted() {
    let supervisor = start();
    let (mut first, mut second) = (FakeSession::new(), FakeSession::new());
    let ask = |member: &Arc<Member>, join_seq| supervisor.send(Join { join_seq, ..wish(member, "a") });
    let (ann, bob) = (first.member(), second.member());
    ask(&ann, 3).await.expect("the supervisor lives");
    assert!(matches!(first.receive_roster().await.news, News::Joined(welcomed) if welcomed.join_seq == 3));
    supervisor.send(StopJoins).await.expect("the supervisor lives");
    ask(&bob, 4).await.expect("the supervisor lives");
    let ToSession::Control(Control::JoinFailed(join_failed)) = second.receive().await else {
        panic!("expected a refusal")
    };
    assert_eq!(join_failed.join_seq, 4);
    assert_eq!(join_failed.refused, JoinError::new(ErrorCode::ServerDraining));
    assert!(first.is_silent() && second.is_silent());
}

#[actix::test]
async fn a_session_has_one_seat() {
    let supervisor = start();
    let ann = FakeSession::new().member();
    assert!(join(&supervisor, &ann, "a").await.is_ok());
    assert_eq!(join(&supervisor, &ann, "a").await, refused(ErrorCode::AlreadyJoined));
    assert_eq!(join(&supervisor, &ann, "b").await, refused(ErrorCode::AlreadyJoined));
    leave(&supervisor, &ann).await;
    assert!(join(&supervisor, &ann, "b").await.is_ok());
}

#[actix::test]
async fn the_server_holds_so_many_rooms_and_an_empty_one_makes_place() {
    let supervisor = start();
    let session = FakeSession::new();
    let (ann, bob, cid) = (session.member(), session.member(), session.member());
    assert!(join(&supervisor, &ann, "a").await.is_ok());
    assert!(join(&supervisor, &bob, "b").await.is_ok());
    assert_eq!(join(&supervisor, &cid, "c").await, refused(ErrorCode::RoomLimit));
    leave(&supervisor, &bob).await;
    assert!(join(&supervisor, &cid, "c").await.is_ok());
}

#[actix::test]
async fn a_draining_server_gives_no_seat_and_takes_none_away() {
    let supervisor = start();
    let mut first = FakeSession::new();
    let (ann, bob) = (first.member(), FakeSession::new().member());
    assert!(join(&supervisor, &ann, "a").await.is_ok());
    supervisor.send(StopJoins).await.expect("the supervisor lives");
    assert_eq!(join(&supervisor, &bob, "a").await, refused(ErrorCode::ServerDraining));
    assert_eq!(census(&supervisor).await.peers, 1);
    assert_eq!(first.receive_welcome().await, []);
    assert!(first.is_silent());
}

#[actix::test]
async fn a_room_that_emptied_and_opens_again_knows_nothing_of_the_former_one() {
    let supervisor = start();
    let mut session = FakeSession::new();
    let (ann, bob) = (session.member(), session.member());
    assert!(join(&supervisor, &ann, "a").await.is_ok());
    let former = session.receive_roster().await.snapshot;
    leave(&supervisor, &ann).await;
    assert!(join(&supervisor, &bob, "a").await.is_ok());
    let welcome = session.receive_roster().await;
    assert!(matches!(welcome.news, News::Joined(_)));
    assert_eq!(welcome.snapshot.members.len(), 1);
    assert!(former.port != welcome.snapshot.port, "by this, sessions tell the two apart");
}

#[actix::test]
async fn a_room_that_dies_is_noticed_within_a_second_and_its_peers_may_join_again() {
    let supervisor = start();
    let (mut first, mut second, mut elsewhere) = (FakeSession::new(), FakeSession::new(), FakeSession::new());
    let (ann, bob, cid) = (first.member(), second.member(), elsewhere.member());
    assert!(join(&supervisor, &cid, "sound").await.is_ok());
    assert!(join(&supervisor, &ann, FRAGILE).await.is_ok());
    assert!(join(&supervisor, &bob, FRAGILE).await.is_ok());

    let died = tokio::time::Instant::now();
    for session in [&mut first, &mut second] {
        let evict = session.receive_evict().await;
        assert_eq!((evict.room.as_str(), evict.join_seq), (FRAGILE, 7));
    }
    assert!(died.elapsed() < Duration::from_secs(1));
    let left = census(&supervisor).await;
    assert_eq!((left.rooms, left.peers, left.leaves_per_minute), (1, 1, 2));

    assert_eq!(join(&supervisor, &bob, FRAGILE).await, Ok(1), "a fresh room");
    assert!(join(&supervisor, &ann, "sound").await.is_ok());
    assert_eq!(elsewhere.receive_welcome().await, []);
    assert!(elsewhere.receive_news().await.contains(&ann.peer.to_string()), "the other room goes on");
    assert!(elsewhere.is_silent() && second.is_silent());
}

#[actix::test]
async fn a_join_that_comes_before_the_sweep_finds_a_fresh_room() {
    let supervisor = start();
    let (mut first, second) = (FakeSession::new(), FakeSession::new());
    let (ann, bob, cid) = (first.member(), second.member(), second.member());
    assert!(join(&supervisor, &ann, FRAGILE).await.is_ok());
    assert!(join(&supervisor, &bob, FRAGILE).await.is_ok());
    settle().await;
    assert_eq!(join(&supervisor, &cid, FRAGILE).await, Ok(1));
    assert_eq!(first.receive_evict().await.room.as_str(), FRAGILE);
}

#[actix::test]
async fn a_leave_that_comes_before_the_sweep_evicts_the_others_at_once() {
    let supervisor = start();
    let (mut first, mut second) = (FakeSession::new(), FakeSession::new());
    let (ann, bob) = (first.member(), second.member());
    assert!(join(&supervisor, &ann, FRAGILE).await.is_ok());
    assert!(join(&supervisor, &bob, FRAGILE).await.is_ok());
    settle().await;
    leave(&supervisor, &ann).await;
    assert_eq!(second.receive_evict().await.room.as_str(), FRAGILE);
    assert!(first.is_silent(), "who left is not evicted");
    let now = census(&supervisor).await;
    assert_eq!((now.rooms, now.peers, now.leaves_per_minute), (0, 0, 2));
    assert_eq!(telemetry::take().map(|t| (t.rooms_lost, t.rooms_ended)), Some((1, 0)));
}

#[actix::test]
async fn everything_is_counted_once() {
    let supervisor = start();
    let session = FakeSession::new();
    let members: Vec<_> = (0..4).map(|_| session.member()).collect();
    for member in &members {
        let _ = rejoin(&supervisor, member, "a", 1).await;
    }
    assert!(join(&supervisor, &members[3], "b").await.is_ok());
    for member in members.iter().chain(&members) {
        leave(&supervisor, member).await;
    }
    let counts = telemetry::take().expect("something was counted");
    assert_eq!((counts.joins, counts.leaves.get(LeaveReason::Left)), (4, 4));
    assert_eq!((counts.join_rejections.get(ErrorCode::RoomFull), counts.join_rejections.total()), (1, 1));
    let again = counts.reconnections;
    assert_eq!((again.get(Reconnection::Joined), again.get(Reconnection::Refused)), (3, 1));
    assert_eq!((counts.rooms_opened, counts.rooms_ended, counts.rooms_lost), (2, 2, 0));
}

#[actix::test]
async fn who_comes_again_finds_a_full_room_open_and_the_session_it_had_is_told_to_end() {
    let supervisor = start();
    let (ghosts, others) = (FakeSession::new(), FakeSession::new());
    let (ghost, again, stranger) = (ghosts.member(), ghosts.member(), others.member());
    let room = RoomName::parse("a", 128).expect("a sane name");
    let come = async |member: &Arc<Member>, identity: &str| {
        let identified = Some(Identified { who: Who::of(identity, &room), replace: false });
        let join = Join { identified, ..wish(member, "a") };
        supervisor.send(Ask(join)).await.expect("the supervisor lives")
    };
    assert_eq!(come(&ghost, "the secret of the one").await, Ok(1));
    assert!(ghost.presence.set(true));
    supervisor.send(Presence { member: Arc::clone(&ghost) }).await.expect("the supervisor lives");
    for already in [1, 2] {
        assert_eq!(join(&supervisor, &others.member(), "a").await, Ok(already + 1));
    }
    assert_eq!(come(&stranger, "the secret of another").await, refused(ErrorCode::RoomFull));
    assert_eq!(ghost.kill_switch.taken(), 0);
    assert_eq!(come(&again, "the secret of the one").await, Ok(3));
    assert_eq!(ghost.kill_switch.taken(), 7, "of that join, and of no later one");
    assert!(ghost.kill_switch.take_notes().has(Note::SeatTaken));
    // Its own leave, when it has read of it, frees nobody's seat; and nobody may resume it.
    leave(&supervisor, &ghost).await;
    assert_eq!(census(&supervisor).await.occupancy, [0, 0, 1]);
    let counts = telemetry::take().expect("something was counted");
    assert_eq!((counts.joins, counts.leaves.get(LeaveReason::Replaced), counts.leaves.total()), (4, 1, 1));
    assert_eq!((counts.rooms_opened, counts.rooms_ended), (1, 0));
}

#[actix::test]
async fn a_room_whose_only_peer_is_replaced_was_opened_once() {
    let supervisor = start();
    let mut session = FakeSession::new();
    let room = RoomName::parse("a", 128).expect("a sane name");
    let identified = Some(Identified { who: Who::of(&"x".repeat(22), &room), replace: true });
    for peers in [1, 1] {
        let join = Join { identified, ..wish(&session.member(), "a") };
        assert_eq!(supervisor.send(Ask(join)).await.expect("the supervisor lives"), Ok(peers));
        assert_eq!(session.receive_welcome().await, []);
    }
    let counts = telemetry::take().expect("something was counted");
    assert_eq!((counts.joins, counts.rooms_opened, counts.leaves.get(LeaveReason::Replaced)), (2, 1, 1));
}

#[actix::test]
async fn the_census_is_reported_every_second() {
    let supervisor = start();
    let ann = FakeSession::new().member();
    assert!(join(&supervisor, &ann, "a").await.is_ok());
    let _ = telemetry::take();
    for _ in 0..3 {
        // The timers count whole milliseconds and round up.
        advance(Duration::from_millis(1001)).await;
        settle().await;
        let report = telemetry::take().and_then(|tally| tally.census).expect("a report");
        assert_eq!((report.rooms, report.peers, report.joins_per_minute), (1, 1, 1));
    }
}

/// Lets everything run that needs no time.
pub(super) async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}
