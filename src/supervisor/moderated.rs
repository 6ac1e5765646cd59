//! What becomes of members and rooms that somebody moderates, told as the supervisor's other scenarios are.

use std::{sync::Arc, time::Duration};

use actix::{Addr, Message};
use tokio::time::advance;

use super::{
    Supervisor,
    scenarios::{Ask, join, settle, start, wish},
};
use crate::{
    limits::Subnet,
    messages::{
        Note, SeatTaken,
        handover::{ForgetStock, TakeStock},
        moderation::{
            CloseRoom, Kick, KickFrom, Kicked, LOCK_OUTLIVES, LiftBan, ListBans, LockRoom, ModerationError, SendNotice,
            Target,
        },
        session::{JoinError, Member},
        supervisor::{Join, Presence},
    },
    protocol::{EndReason, ErrorCode, LeaveReason, PeerId, PlainText, RoomName, Who, client::Identified},
    room::fake::FakeSession,
    telemetry::{self, LimitHit, ModerationAct, Moderator},
    utc::Clocks,
};

const MINUTE: Duration = Duration::from_secs(60);

fn room(name: &str) -> RoomName {
    RoomName::parse(name, 128).expect("a sane name")
}

fn text(text: &str) -> PlainText {
    PlainText::parse(text, 256).expect("a text")
}

async fn ask<M>(supervisor: &Addr<Supervisor>, message: M) -> M::Result
where
    M: Message + Send + 'static,
    M::Result: Send,
    Supervisor: actix::Handler<M>,
{
    supervisor.send(message).await.expect("the supervisor lives")
}

fn kick(target: Target, ban: Option<Duration>) -> KickFrom {
    KickFrom { room: room("a"), kick: Kick { target, reason: Some(text("enough")), ban } }
}

/// From that address, as that person.
async fn come(
    supervisor: &Addr<Supervisor>,
    member: &Arc<Member>,
    from: u8,
    identity: &str,
) -> Result<usize, JoinError> {
    let identified = Some(Identified { who: Who::of(identity, &room("a")), replace: false });
    let subnet = Some(Subnet::of([192, 0, 2, from].into()));
    ask(supervisor, Ask(Join { subnet, identified, ..wish(member, "a") })).await
}

fn code(answer: Result<usize, JoinError>) -> ErrorCode {
    answer.expect_err("it is refused").code
}

#[actix::test]
async fn who_is_kicked_loses_its_seat_for_good_and_the_others_are_told() {
    let supervisor = start();
    let (mut first, second) = (FakeSession::new(), FakeSession::new());
    let (ann, bob) = (first.member(), second.member());
    for member in [&ann, &bob] {
        assert!(join(&supervisor, member, "a").await.is_ok());
    }
    first.skip(2).await;
    assert_eq!(ask(&supervisor, kick(Target::Peer(bob.peer), None)).await, Ok(Kicked { peers: vec![bob.peer] }));
    let left = first.receive_news().await;
    assert_eq!(left, format!(r#"{{"type":"peer_left","id":"{}","reason":"kicked"}}"#, bob.peer));
    assert!(bob.kill_switch.take_notes().has(Note::SeatTaken));
    let taken = SeatTaken { join_seq: 7, reason: EndReason::Kicked, text: Some(text("enough")) };
    assert_eq!(bob.how_taken(7), Some(taken));
    assert_eq!(join(&supervisor, &bob, "a").await, Ok(2), "there is no ban, and no seat of its");
    let unknown = ask(&supervisor, kick(Target::Peer(PeerId::random()), None)).await;
    assert_eq!(unknown, Err(ModerationError::UnknownPeer));
    let elsewhere = KickFrom { room: room("b"), ..kick(Target::Peer(bob.peer), None) };
    assert_eq!(ask(&supervisor, elsewhere).await, Err(ModerationError::UnknownRoom));
    let counts = telemetry::take().expect("something was counted");
    assert_eq!((counts.kicks.get(Moderator::Operator), counts.leaves.get(LeaveReason::Kicked)), (1, 1));
}

#[actix::test]
async fn a_ban_keeps_out_the_person_and_the_address_until_it_is_over_or_lifted() {
    let supervisor = start();
    let session = FakeSession::new();
    let (stays, goes) = (session.member(), session.member());
    let (one, other) = ("the secret of the one", "the secret of another");
    assert!(come(&supervisor, &stays, 1, other).await.is_ok());
    assert!(come(&supervisor, &goes, 2, one).await.is_ok());
    ask(&supervisor, kick(Target::Peer(goes.peer), Some(MINUTE))).await.expect("it is there");
    for (from, identity) in [(3, one), (2, "the secret of a third")] {
        let refused = come(&supervisor, &session.member(), from, identity).await.expect_err("it is banned");
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Banned, Some(MINUTE)));
    }
    assert!(join(&supervisor, &session.member(), "b").await.is_ok(), "of another room it is not");
    let bans = ask(&supervisor, ListBans { room: room("a") }).await.expect("a room").bans;
    assert_eq!(bans.len(), 1);
    assert_eq!(ask(&supervisor, LiftBan { room: room("a"), ban: bans[0].id }).await, Ok(()));
    let again = ask(&supervisor, LiftBan { room: room("a"), ban: bans[0].id }).await;
    assert_eq!(again, Err(ModerationError::UnknownBan));
    let back = session.member();
    assert!(come(&supervisor, &back, 2, one).await.is_ok());
    ask(&supervisor, kick(Target::Peer(back.peer), Some(MINUTE))).await.expect("it is there");
    advance(MINUTE).await;
    assert!(come(&supervisor, &back, 2, one).await.is_ok());
}

#[actix::test]
async fn a_ban_holds_although_its_room_has_ended_meanwhile() {
    let supervisor = start();
    let session = FakeSession::new();
    let (goes, identity) = (session.member(), "the secret of the one");
    assert!(come(&supervisor, &goes, 1, identity).await.is_ok());
    ask(&supervisor, kick(Target::Peer(goes.peer), Some(MINUTE))).await.expect("it is there");
    assert_eq!(code(come(&supervisor, &goes, 1, identity).await), ErrorCode::Banned);
    assert!(come(&supervisor, &session.member(), 2, "the secret of another").await.is_ok());
    assert_eq!(code(come(&supervisor, &goes, 1, identity).await), ErrorCode::Banned);
}

#[actix::test]
async fn a_person_is_kicked_with_all_its_sessions_and_reached_although_it_is_gone() {
    let supervisor = start();
    let (mut first, second) = (FakeSession::new(), FakeSession::new());
    let (stays, tabs) = (first.member(), [second.member(), second.member()]);
    let identity = "the secret of the one";
    assert!(join(&supervisor, &stays, "a").await.is_ok());
    for tab in &tabs {
        assert!(come(&supervisor, tab, 1, identity).await.is_ok());
    }
    first.skip(3).await;
    let who = Who::of(identity, &room("a"));
    let kicked = ask(&supervisor, kick(Target::Who(who), Some(MINUTE))).await.expect("a room");
    assert_eq!(kicked.peers, tabs.each_ref().map(|tab| tab.peer));
    first.skip(2).await;
    let kicked = ask(&supervisor, kick(Target::Who(who), None)).await.expect("a room");
    assert_eq!(kicked.peers, []);
    let mut buffer = [0; Who::TEXT_BYTES];
    assert_eq!(first.receive_news().await, format!(r#"{{"type":"kicked","who":"{}"}}"#, who.encode(&mut buffer)));
    let absent = Target::User("ada".into());
    assert_eq!(ask(&supervisor, kick(absent.clone(), None)).await, Err(ModerationError::UnknownPeer));
    assert_eq!(ask(&supervisor, kick(absent.clone(), Some(MINUTE))).await, Ok(Kicked { peers: Vec::new() }));
    let refused = ask(&supervisor, kick(Target::User("bob".into()), Some(MINUTE))).await;
    assert_eq!(refused, Err(ModerationError::TooManyBans { retry_after: MINUTE }));
    for time in [Duration::from_millis(999), Duration::from_secs(30 * 86_400 + 1)] {
        assert_eq!(ask(&supervisor, kick(absent.clone(), Some(time))).await, Err(ModerationError::BanTime));
    }
    let counts = telemetry::take().expect("something was counted");
    assert_eq!((counts.kicks.total(), counts.limit_hits.get(LimitHit::BansPerRoom)), (2, 1));
}

#[actix::test]
async fn a_locked_room_lets_in_who_has_left_a_seat_behind_there_and_nobody_else() {
    let supervisor = start();
    let (mut session, other) = (FakeSession::new(), FakeSession::new());
    let (stays, ghost) = (session.member(), other.member());
    let identity = "the secret of the one";
    let lock = |locked| LockRoom { room: room("a"), locked };
    assert_eq!(ask(&supervisor, lock(true)).await, Err(ModerationError::UnknownRoom));
    assert!(join(&supervisor, &stays, "a").await.is_ok());
    assert!(come(&supervisor, &ghost, 1, identity).await.is_ok());
    session.skip(2).await;
    for _ in 0..2 {
        assert_eq!(ask(&supervisor, lock(true)).await, Ok(()));
    }
    assert_eq!(session.receive_news().await, r#"{"type":"room_state","locked":true}"#);
    assert_eq!(code(join(&supervisor, &other.member(), "a").await), ErrorCode::RoomLocked);
    assert_eq!(code(come(&supervisor, &other.member(), 1, identity).await), ErrorCode::RoomLocked, "it is there");
    assert!(ghost.presence.set(true));
    ask(&supervisor, Presence { member: Arc::clone(&ghost) }).await;
    let mut again = FakeSession::new();
    assert!(come(&supervisor, &again.member(), 1, identity).await.is_ok());
    let crate::messages::session::News::Joined(welcomed) = again.receive_roster().await.news else {
        panic!("a welcome")
    };
    assert!(welcomed.locked);
    assert_eq!(ask(&supervisor, lock(false)).await, Ok(()));
    assert!(join(&supervisor, &other.member(), "a").await.is_ok());
    let counts = telemetry::take().expect("something was counted");
    assert_eq!([ModerationAct::Lock, ModerationAct::Unlock].map(|act| counts.moderation.get(act)), [1, 1]);
}

#[actix::test]
async fn a_lock_outlives_its_room_and_can_be_lifted_then() {
    let supervisor = start();
    let session = FakeSession::new();
    let lock = |locked| LockRoom { room: room("a"), locked };
    for is_lifted in [true, false] {
        let last = session.member();
        assert!(join(&supervisor, &last, "a").await.is_ok());
        ask(&supervisor, lock(true)).await.expect("a room");
        super::scenarios::leave(&supervisor, &last).await;
        assert_eq!(code(join(&supervisor, &last, "a").await), ErrorCode::RoomLocked);
        assert_eq!(ask(&supervisor, lock(true)).await, Err(ModerationError::UnknownRoom), "it is locked as it is");
        if is_lifted {
            assert_eq!(ask(&supervisor, lock(false)).await, Ok(()));
        } else {
            advance(LOCK_OUTLIVES).await;
        }
        assert!(join(&supervisor, &last, "a").await.is_ok());
        super::scenarios::leave(&supervisor, &last).await;
    }
}

#[actix::test]
async fn a_room_that_is_closed_sends_everybody_away_and_opens_anew() {
    let supervisor = start();
    let session = FakeSession::new();
    let members = [session.member(), session.member()];
    for member in &members {
        assert!(join(&supervisor, member, "a").await.is_ok());
    }
    let close = CloseRoom { room: room("a"), text: Some(text("the lesson is over")) };
    assert_eq!(ask(&supervisor, close.clone()).await, Ok(2));
    for member in &members {
        let taken = member.how_taken(7).expect("its seat is taken");
        assert_eq!((taken.reason, taken.text), (EndReason::RoomClosed, close.text.clone()));
    }
    assert_eq!(ask(&supervisor, close).await, Err(ModerationError::UnknownRoom));
    assert_eq!(join(&supervisor, &session.member(), "a").await, Ok(1));
    settle().await;
    let counts = telemetry::take().expect("something was counted");
    assert_eq!((counts.rooms_opened, counts.rooms_ended, counts.rooms_lost), (2, 1, 0));
    assert_eq!(counts.leaves.get(LeaveReason::RoomClosed), 2);
}

#[actix::test]
async fn nobody_moderates_what_the_next_process_has_taken_over() {
    let supervisor = start();
    let session = FakeSession::new();
    let bob = session.member();
    assert!(join(&supervisor, &bob, "a").await.is_ok());
    let (answer, answered) = tokio::sync::oneshot::channel();
    ask(&supervisor, TakeStock { clocks: Clocks::read(), answer }).await;
    assert!(answered.await.expect("a stock").moderated.is_empty());
    let refused = Err(ModerationError::HandedOver);
    let banned = ask(&supervisor, kick(Target::Peer(bob.peer), Some(MINUTE))).await;
    assert_eq!(banned.map(|_| ()), refused);
    assert_eq!(ask(&supervisor, LockRoom { room: room("a"), locked: true }).await, refused);
    let close = CloseRoom { room: room("a"), text: None };
    assert_eq!(ask(&supervisor, close.clone()).await.map(|_| ()), refused);
    let notice = SendNotice { room: None, text: text("to nobody") };
    assert_eq!(ask(&supervisor, notice).await.map(|_| ()), refused);
    let bans = ask(&supervisor, ListBans { room: room("a") }).await.expect("a room");
    assert!(bans.bans.is_empty() && !bans.locked, "nothing was done");
    ask(&supervisor, ForgetStock).await;
    assert_eq!(ask(&supervisor, close).await, Ok(1), "it goes on here after all");
}

#[actix::test]
async fn a_notice_reaches_one_room_or_all() {
    let supervisor = start();
    let (mut first, mut second) = (FakeSession::new(), FakeSession::new());
    assert!(join(&supervisor, &first.member(), "a").await.is_ok());
    assert!(join(&supervisor, &second.member(), "b").await.is_ok());
    first.skip(1).await;
    second.skip(1).await;
    let notice = |room, words| SendNotice { room, text: text(words) };
    assert_eq!(ask(&supervisor, notice(Some(room("b")), "to b")).await, Ok(1));
    assert_eq!(ask(&supervisor, notice(None, "to all")).await, Ok(2));
    let unknown = ask(&supervisor, notice(Some(room("c")), "to nobody")).await;
    assert_eq!(unknown, Err(ModerationError::UnknownRoom));
    assert_eq!(first.receive_news().await, r#"{"type":"notice","text":"to all"}"#);
    // One message, or two.
    assert_eq!(second.receive_news().await, r#"{"type":"notice","text":"to b"}"#);
    assert_eq!(second.receive_news().await, r#"{"type":"notice","text":"to all"}"#);
}

#[actix::test]
async fn an_address_whose_joins_are_refused_too_often_waits_whatever_the_room() {
    let supervisor = start();
    let session = FakeSession::new();
    assert!(join(&supervisor, &session.member(), "a").await.is_ok());
    ask(&supervisor, LockRoom { room: room("a"), locked: true }).await.expect("a room");
    let subnet = Some(Subnet::of([192, 0, 2, 1].into()));
    let come = |name| Ask(Join { subnet, ..wish(&session.member(), name) });
    for _ in 0..2 {
        assert_eq!(code(ask(&supervisor, come("a")).await), ErrorCode::RoomLocked);
    }
    let refused = ask(&supervisor, come("b")).await.expect_err("too often");
    assert_eq!((refused.code, refused.share), (ErrorCode::RateLimited, Some(LimitHit::RefusedJoins)));
    assert_eq!(refused.retry_after, Some(MINUTE / 2));
    advance(MINUTE / 2).await;
    assert!(ask(&supervisor, come("b")).await.is_ok());
}
