//! Sessions whose seat goes to another of the same identity, told as the takeovers are: the supervisor's word is final,
//! whatever meets in that moment.

use serde_json::json;
use tokio::{sync::oneshot, time::Instant};

use super::takeovers::{Client, PATIENCE, ROOM, Sent, Stage};
use crate::{
    messages::{
        Asked, Note, SeatTaken,
        room::ToRoom,
        session::{Member, ResumeAnswer, ResumeRequest},
    },
    protocol::{EndReason, ResumeToken, RoomName},
};

/// The first join of each session.
const JOIN: u32 = 1;

/// Another has the seat.
fn taken(join_seq: u32) -> SeatTaken {
    SeatTaken { join_seq, reason: EndReason::SessionTaken, text: None }
}

/// As the supervisor passes it on.
fn pass_on(member: &Member, token: &str) -> oneshot::Receiver<ResumeAnswer> {
    let (answer, answered) = oneshot::channel();
    let secret = ResumeToken::parse(token).expect("a token").secret;
    let room = RoomName::parse(ROOM, 128).expect("a sane name");
    let asked = member.resume.ask(&secret, Box::new(ResumeRequest { secret, ack: 0, room, grant: None, answer }));
    assert!(matches!(asked, Asked::Waits { .. }));
    member.kill_switch.leave_note(Note::ResumeRequested);
    answered
}

async fn ends(member: &Member) {
    let deadline = Instant::now() + PATIENCE;
    while member.port.connected() {
        assert!(Instant::now() < deadline, "the session goes on without a seat");
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn a_session_that_is_away_ends_at_once_and_answers_no_request_that_was_passed_on_before() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    // Nobody runs between these lines.
    let answered = pass_on(&member, &token);
    member.take_seat(taken(JOIN));
    assert!(answered.await.is_err(), "there is no such session");
    ends(&member).await;
}

#[actix::test]
async fn a_request_that_was_granted_before_comes_to_nothing() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    assert!(matches!(pass_on(&member, &token).await, Ok(ResumeAnswer::Granted(_))));
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    // The socket arrives, and the session reads of its end after it.
    member.post(message);
    member.take_seat(taken(JOIN));
    let bye = client.receive().await;
    assert_eq!((&bye["type"], &bye["action"]), (&json!("bye"), &json!("reconnect")), "not joined: {bye}");
    ends(&member).await;
}

#[actix::test]
async fn a_session_whose_client_was_back_a_moment_sooner_tells_it_that_it_is_replaced() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill(EndReason::Disconnected);
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    assert_eq!(client.receive().await["complete"], true);
    member.take_seat(taken(JOIN));
    let bye = client.receive().await;
    assert_eq!((&bye["type"], &bye["reason"]), (&json!("bye"), &json!("session_taken")), "{bye}");
    ends(&member).await;
}

/// Whichever end it finds first, it is parked by none.
#[actix::test]
async fn a_session_that_loses_its_socket_in_that_moment_is_not_parked() {
    for reason in [EndReason::Disconnected, EndReason::PingTimeout, EndReason::SlowConsumer] {
        let mut stage = Stage::set(|_| {});
        let (_client, member, _) = stage.resumable().await;
        member.kill_switch.kill(reason);
        member.take_seat(taken(JOIN));
        let Sent::Leave(leave) = stage.receive().await else { panic!("{reason:?}: a leave, which frees nothing") };
        assert_eq!(leave.session, member.session);
        ends(&member).await;
    }
}

#[actix::test]
async fn a_session_that_has_left_and_joins_anew_is_not_ended_for_the_seat_that_it_had() {
    let mut stage = Stage::set(|_| {});
    let (mut client, member, _) = stage.resumable().await;
    client.send(&json!({"type": "leave"})).await;
    assert!(matches!(stage.receive().await, Sent::Leave(_)));
    assert_eq!(client.receive().await["type"], "left");
    member.take_seat(taken(JOIN));
    let (mut client, member, _) = stage.joined(client).await;
    client.send(&json!({"type": "ping"})).await;
    assert_eq!(client.receive().await["type"], "pong");
    // Of the second join it is so as well.
    member.take_seat(taken(JOIN + 1));
    assert_eq!(client.receive().await["reason"], "session_taken");
    ends(&member).await;
}

#[actix::test]
async fn a_client_is_recognised_in_what_its_session_asks_for_and_a_resume_says_nothing_of_it() {
    let mut stage = Stage::set(|_| {});
    let mut client = Client::greeted(&stage).await;
    let identity = "x".repeat(22);
    client.send(&json!({"type": "join", "room": ROOM, "identity": identity, "replace": true})).await;
    let Sent::Join(join) = stage.receive().await else { panic!("a join") };
    assert!(join.identified.is_some_and(|identified| identified.replace));
    let (_former, member, token) = stage.resumable().await;
    let mut client = Client::greeted(&stage).await;
    let resume = json!({"token": token, "ack": 0});
    client.send(&json!({"type": "join", "room": ROOM, "resume": resume, "identity": identity})).await;
    assert!(matches!(stage.receive().await, Sent::Resume(resume) if resume.session == member.session));
}

/// The whole room goes to a client that has missed something, or nobody: what asks for it meets the end of the session.
#[actix::test]
async fn a_session_that_waits_for_the_whole_room_ends_as_well() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    assert_eq!(join_seq, JOIN);
    member.take_seat(taken(join_seq));
    assert_eq!(client.receive().await["reason"], "session_taken");
    ends(&member).await;
}

#[actix::test]
async fn a_session_that_ends_in_the_moment_of_a_resume_sends_its_client_away_in_the_proper_way() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    member.kill_switch.kill(EndReason::ProtocolError);
    let bye = client.receive().await;
    assert_eq!((&bye["type"], &bye["action"]), (&json!("bye"), &json!("reconnect")), "{bye}");
    assert!(matches!(stage.receive().await, Sent::Leave(_)));
}
