//! What strangers, too many others, and rooms that die may do to a session, and what not; told as the takeovers are.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::oneshot;

use super::takeovers::{Client, PATIENCE, ROOM, Sent, Stage};
use crate::{
    config::Milliseconds,
    messages::{
        Asked, Inbox, KillSwitch, Load, Note, PeerChange, PresenceState, ResumeRequests, RoomEvent, SeatTaken,
        room::{RoomPort, ToRoom},
        session::{Control, Evict, Member, News, ResumeAnswer, ResumeRequest, Roster, Snapshot, ToMember, ToSession},
    },
    protocol::{EndReason, LeaveReason, PeerId, PlainText, ResumeSecret, ResumeToken, RoomName, SessionId},
    telemetry::{self, RequestId, Source},
};

/// As the supervisor does it for whoever says that it comes back.
fn ask(member: &Member, secret: ResumeSecret, ack: u64) -> (Asked<ResumeRequest>, oneshot::Receiver<ResumeAnswer>) {
    let (answer, answered) = oneshot::channel();
    let room = RoomName::parse(ROOM, 128).expect("a sane name");
    (member.resume.ask(&secret, Box::new(ResumeRequest { secret, ack, room, grant: None, answer })), answered)
}

/// Its client comes back in the very moment: it must not come a second time, and not by itself.
#[actix::test]
async fn who_is_kicked_while_its_socket_is_under_way_is_told_so_on_the_new_one() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    let text = PlainText::parse("enough", 256).ok();
    member.take_seat(SeatTaken { join_seq: 1, reason: EndReason::Kicked, text });
    member.post(message);
    let bye = client.receive().await;
    let told = (&bye["type"], &bye["reason"], &bye["action"], &bye["message"]);
    assert_eq!(told, (&json!("bye"), &json!("kicked"), &json!("disconnect"), &json!("enough")), "{bye}");
    assert_eq!(client.receive().await, serde_json::Value::Null);
}

/// More parked sessions than may be: this one is asked to end, and whether it does is decided where nothing races.
#[actix::test]
async fn a_session_that_is_given_up_ends_if_it_is_parked_still_and_not_if_its_client_is_back() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.leave_note(Note::TooManyParked);
    stage.somebody_comes(&member);
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    // The socket is there when the request to end comes.
    member.post(message);
    member.kill_switch.leave_note(Note::TooManyParked);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    stage.resync(&member, join_seq);
    let joined = client.receive().await;
    assert_eq!(joined["type"], "joined", "{joined}");
    client.send(&json!({"type": "ping"})).await;
    assert_eq!(client.receive().await["type"], "pong", "a connected peer goes on");
    member.kill_switch.kill(EndReason::Disconnected);
    stage.receive_away(&member).await;
    member.kill_switch.leave_note(Note::TooManyParked);
    let Sent::Leave(leave) = stage.receive().await else { panic!("a leave") };
    assert_eq!((leave.session, leave.reason), (member.session, LeaveReason::Timeout));
}

/// Whoever does not know a secret is told so by the supervisor, and the session notices nothing: not even its mailbox.
#[actix::test]
async fn only_a_right_secret_reaches_the_session_and_it_is_answered_past_a_full_mailbox() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    let secret = ResumeToken::parse(&token).expect("a token").secret;
    let ask = |secret, ack| ask(&member, secret, ack);
    for _ in 0..10_000 {
        assert!(matches!(ask(ResumeSecret::random(), 0).0, Asked::WrongSecret(_)));
    }
    // As full as it gets without a loss; nobody runs between these lines.
    let mut messages = 0;
    let evict = || Evict { room: stage.snapshot.as_ref().expect("a room").room.clone(), join_seq: u32::MAX };
    while member.port.try_send(Control::Evict(evict()).into()).is_ok() {
        messages += 1;
    }
    assert!(messages >= 256, "{messages}");
    for (ack, right) in [(7, false), (0, true)] {
        let (asked, answered) = ask(secret, ack);
        assert!(matches!(asked, Asked::Waits { instead_of: None }));
        member.kill_switch.leave_note(Note::ResumeRequested);
        match answered.await.expect("the session answers") {
            ResumeAnswer::Granted(who) => assert!(right && Arc::ptr_eq(&who, &member)),
            other => assert!(!right && matches!(other, ResumeAnswer::BadAck)),
        }
    }
}

#[actix::test]
async fn a_room_that_ends_before_it_has_answered_a_resume_is_no_end_without_an_answer() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    let room = stage.snapshot.as_ref().expect("a room").room.clone();
    member.post(Control::Evict(Evict { room, join_seq }));
    let error = client.receive().await;
    assert_eq!((&error["type"], &error["re"], &error["code"]), (&json!("error"), &json!("1"), &json!("room_closed")));
    assert_eq!(error["retryable"], true);
    assert_eq!(client.receive().await["type"], "room_closed");
    client.send(&json!({"type": "join", "id": "2", "room": ROOM})).await;
    assert!(matches!(stage.receive().await, Sent::Join(_)), "it may join again");
}

#[actix::test]
async fn a_room_that_ends_before_it_has_answered_a_join_is_answered_for() {
    let mut stage = Stage::set(|_| {});
    let mut client = Client::greeted(&stage).await;
    client.send(&json!({"type": "join", "id": "1", "room": ROOM})).await;
    let Sent::Join(join) = stage.receive().await else { panic!("a join") };
    join.member.post(Control::Evict(Evict { room: join.room, join_seq: join.join_seq }));
    let error = client.receive().await;
    assert_eq!((&error["re"], &error["code"]), (&json!("1"), &json!("room_closed")), "{error}");
    assert_eq!(client.receive().await["type"], "room_closed");
}

#[actix::test]
async fn a_session_that_is_parked_while_it_waits_for_a_room_that_ends_is_over() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (_client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    member.kill_switch.kill(EndReason::Disconnected);
    stage.receive_away(&member).await;
    let room = stage.snapshot.as_ref().expect("a room").room.clone();
    member.post(Control::Evict(Evict { room, join_seq }));
    // Its seat is freed already, so it sends nothing more; and nobody can ask for it.
    let secret = ResumeToken::parse(&token).expect("a token").secret;
    let gone = || matches!(ask(&member, secret, 0).0, Asked::NoSession);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !gone() || member.port.connected() {
        assert!(tokio::time::Instant::now() < deadline, "the session goes on without a room and without a client");
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn each_update_is_confirmed_under_its_own_id_and_a_lost_confirmation_does_not_move_the_next() {
    let mut stage = Stage::set(|_| {});
    let (mut client, member, token) = stage.resumable().await;
    let mut taken = Vec::new();
    for frame in [json!({"id": "1"}), json!({}), json!({"id": "3"})] {
        let mut frame = frame;
        (frame["type"], frame["meta"]) = (json!("update"), json!({"n": taken.len()}));
        client.send(&frame).await;
        let Sent::Room(ToRoom::Update { meta, .. }) = stage.receive().await else { panic!("an update") };
        taken.push((frame["id"].clone(), meta));
    }
    for (n, (id, meta)) in taken.into_iter().enumerate() {
        stage.confirm(&member, meta);
        let reply = client.receive().await;
        assert_eq!((&reply["type"], &reply["re"]), (&json!("peer_updated"), &id), "{reply}");
        assert_eq!((&reply["id"], &reply["meta"]), (&json!(member.peer.to_string()), &json!({"n": n})));
    }
    client.send(&json!({"type": "update", "id": "lost", "meta": {}})).await;
    assert!(matches!(stage.receive().await, Sent::Room(ToRoom::Update { .. })));
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let back = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(back, &token, "join").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };
    stage.resync(&member, join_seq);
    assert_eq!(client.receive().await["re"], "join");
    client.send(&json!({"type": "update", "id": "later", "meta": {}})).await;
    let Sent::Room(ToRoom::Update { meta, .. }) = stage.receive().await else { panic!("an update") };
    stage.confirm(&member, meta);
    assert_eq!(client.receive().await["re"], "later");
}

/// Somebody else in the room, who reads nothing until the story says so.
fn peer(stage: &Stage) -> Arc<Member> {
    let member = Member {
        peer: PeerId::random(),
        session: SessionId::random(),
        request: RequestId::accept(None),
        source: Source::of([127, 0, 0, 1].into()),
        port: stage.recorder.clone().recipient(),
        kill_switch: KillSwitch::default(),
        resume: ResumeRequests::default(),
        presence: PresenceState::default(),
        inbox: Inbox::default(),
    };
    member.inbox.publish(Load::new(1, 100 << 20), false);
    Arc::new(member)
}

/// The room with these in it tells that the last of them has come.
fn roster(port: RoomPort, members: &[&Arc<Member>]) -> ToMember {
    let joined = PeerChange::Joined { meta: None, who: None, user: None, replaces: None };
    let news = News::Changed(RoomEvent::new(members.last().expect("somebody").peer, joined));
    let mut members: Vec<_> = members.iter().map(|member| (member.peer, Arc::clone(member))).collect();
    members.sort_by_key(|(peer, _)| *peer);
    let room = RoomName::parse(ROOM, 128).expect("a sane name");
    ToMember::Roster(Roster { snapshot: Arc::new(Snapshot { room, capacity: 10, members, port }), news })
}

async fn paused() {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut pauses = 0;
        telemetry::tally(|t| pauses = std::mem::take(&mut t.busy_pauses));
        if pauses > 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "the signal does not wait");
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn a_signal_that_waits_when_its_sender_is_ended_is_tried_again_and_refused_before_the_last_words() {
    for reason in [EndReason::TokenExpired, EndReason::ServerDraining] {
        let mut stage = Stage::set(|settings| settings.limits.busy_pause_ms = Milliseconds(60_000));
        let (mut client, member, _) = stage.resumable().await;
        let (quick, stuck) = (peer(&stage), peer(&stage));
        let port = stage.snapshot.as_ref().expect("a room").port.clone();
        member.post(roster(port, &[&member, &quick, &stuck]));
        assert_eq!(client.receive().await["type"], "peer_joined");
        client.send(&json!({"type": "signal", "id": "s", "to": "*", "kind": "app", "data": 1})).await;
        paused().await;
        // What a former room had posted takes nobody of this one away.
        member.post(roster(RoomPort::new(stage.recorder.clone().recipient()), &[&member]));
        quick.inbox.publish(Load::default(), false);
        member.kill_switch.kill(reason);
        let error = client.receive().await;
        assert_eq!((&error["code"], &error["re"]), (&json!("peer_busy"), &json!("s")), "{error}");
        assert_eq!(error["peers"], json!([stuck.peer.to_string()]));
        assert_eq!(client.receive().await["type"], "bye");
        let Sent::Posted(ToSession::Member(ToMember::Deliver(signal))) = stage.receive().await else {
            panic!("who has room gets it")
        };
        assert_eq!(signal.from, member.peer);
        assert!(matches!(stage.receive().await, Sent::Leave(_)));
    }
}
