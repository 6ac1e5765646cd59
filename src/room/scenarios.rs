//! A running room and sessions that record what it sends.

use std::sync::Arc;

use actix::Arbiter;

use super::{Room, fake::FakeSession};
use crate::{
    messages::{
        room::{Admit, RoomPort, ToRoom},
        session::{Member, News, Snapshot},
    },
    protocol::{EndReason, ErrorCode, LeaveReason, Meta, RoomName, Severity, server::PeerView},
    telemetry,
};

const CAPACITY: usize = 10;

fn open() -> RoomPort {
    let name = RoomName::parse("lobby", 128).expect("a sane name");
    Room::open(&Arbiter::current(), name, CAPACITY, Box::new(()))
}

fn meta(text: &str) -> Meta {
    Meta::from_checked(text)
}

fn admit(room: &RoomPort, member: &Arc<Member>, about: Option<&str>) {
    let admit =
        Admit { member: Arc::clone(member), meta: about.map(meta), user: None, join_seq: 3, port: room.clone() };
    assert!(room.send_unbounded(ToRoom::Admit(admit)));
}

fn remove(room: &RoomPort, member: &Member) {
    assert!(room.send_unbounded(ToRoom::Remove { peer: member.peer, reason: LeaveReason::Left }));
}

fn update(snapshot: &Snapshot, member: &Member, about: &str) {
    let sent = snapshot.port.try_send(ToRoom::Update { peer: member.peer, meta: meta(about) });
    assert!(sent.is_ok(), "the room has a place for it");
}

fn names(snapshot: &Snapshot) -> Vec<String> {
    snapshot.members.iter().map(|(peer, _)| peer.to_string()).collect()
}

#[actix::test]
async fn members_hear_of_a_newcomer_before_it_is_welcomed() {
    let room = open();
    // One mailbox for all three, so that what is sent first is received first.
    let mut all = FakeSession::new();
    let (ann, bob, cid) = (all.member(), all.member(), all.member());
    admit(&room, &ann, None);
    admit(&room, &bob, Some(r#"{"name":"Bob"}"#));
    assert!(matches!(all.receive_roster().await.news, News::Joined(_)), "Ann is welcomed");
    let to_ann = format!(r#"{{"type":"peer_joined","id":"{}","meta":{{"name":"Bob"}},"polite":false}}"#, bob.peer);
    assert_eq!(all.receive_news().await, to_ann);
    assert!(matches!(all.receive_roster().await.news, News::Joined(_)), "Bob is welcomed");

    admit(&room, &cid, None);
    let told = format!(r#"{{"type":"peer_joined","id":"{}","polite":false}}"#, cid.peer);
    assert_eq!([all.receive_news().await, all.receive_news().await], [told.clone(), told]);
    assert!(matches!(all.receive_roster().await.news, News::Joined(_)), "Cid is welcomed last");
    assert!(all.is_silent());
}

#[actix::test]
async fn a_newcomer_is_told_who_is_here_and_is_polite_to_them_all() {
    let room = open();
    let (mut first, mut second) = (FakeSession::new(), FakeSession::new());
    let (ann, bob) = (first.member(), second.member());
    admit(&room, &ann, Some(r#"{"name":"Ann"}"#));
    admit(&room, &bob, Some(r#"{"name":"Bob"}"#));

    let welcome = second.receive_roster().await;
    let News::Joined(welcomed) = welcome.news else { panic!("the first roster welcomes") };
    let here =
        PeerView { id: ann.peer, meta: Some(meta(r#"{"name":"Ann"}"#)), user: None, polite: true, away_until_ms: None };
    assert_eq!(welcomed.peers, [here]);
    assert_eq!(welcomed.meta, Some(meta(r#"{"name":"Bob"}"#)));
    assert_eq!(welcomed.join_seq, 3);

    assert_eq!(first.receive_welcome().await, []);
    let news = first.receive_roster().await;
    assert!(Arc::ptr_eq(&news.snapshot, &welcome.snapshot), "one picture for all");
    assert!(Arc::ptr_eq(news.snapshot.find(ann.peer).expect("Ann"), &ann), "one handle per member, never a copy");
    let mut sorted = [ann.peer.to_string(), bob.peer.to_string()];
    sorted.sort();
    assert_eq!(names(&welcome.snapshot), sorted);
    assert_eq!((welcome.snapshot.capacity, welcome.snapshot.room.as_str()), (CAPACITY, "lobby"));
}

#[actix::test]
async fn an_update_is_news_to_the_others_and_an_answer_to_the_updater() {
    let room = open();
    let (mut first, mut second) = (FakeSession::new(), FakeSession::new());
    let (ann, bob) = (first.member(), second.member());
    admit(&room, &ann, None);
    admit(&room, &bob, None);
    let snapshot = second.receive_roster().await.snapshot;
    first.skip(2).await;

    update(&snapshot, &bob, r#"{"hand":"up"}"#);
    let News::Updated(news) = second.receive_roster().await.news else { panic!("an answer") };
    assert_eq!(news, meta(r#"{"hand":"up"}"#));
    let fields = format!(r#""id":"{}","meta":{{"hand":"up"}}}}"#, bob.peer);
    assert_eq!(first.receive_news().await, format!(r#"{{"type":"peer_updated",{fields}"#));

    let mut third = FakeSession::new();
    admit(&room, &third.member(), None);
    let seen = third.receive_welcome().await;
    assert_eq!(seen[1].meta, Some(meta(r#"{"hand":"up"}"#)), "later ones see it");
    assert_eq!((seen[1].id, seen[1].polite), (bob.peer, true));
}

#[actix::test]
async fn an_update_of_a_peer_that_left_is_counted_and_nothing_else() {
    let room = open();
    let (mut first, second) = (FakeSession::new(), FakeSession::new());
    let (ann, bob) = (first.member(), second.member());
    admit(&room, &ann, None);
    admit(&room, &bob, None);
    let snapshot = first.receive_roster().await.snapshot;
    let _ = telemetry::take();
    remove(&room, &bob);
    update(&snapshot, &bob, "{}");
    update(&snapshot, &ann, "{}");

    assert!(first.receive_news().await.contains("peer_joined"));
    assert_eq!(first.receive_news().await, format!(r#"{{"type":"peer_left","id":"{}","reason":"left"}}"#, bob.peer));
    assert!(matches!(first.receive_roster().await.news, News::Updated(_)), "nothing of Bob's in between");
    let counts = telemetry::take().expect("it was counted");
    assert_eq!(counts.errors[Severity::Low as usize].get(ErrorCode::NotInRoom), 1);
}

#[actix::test]
async fn a_peer_whose_mailbox_is_full_is_cut_and_the_others_hear_everything() {
    let room = open();
    let (mut reader, mut jammed) = (FakeSession::new(), FakeSession::with_capacity(1));
    let (ann, bob) = (reader.member(), jammed.member());
    admit(&room, &ann, None);
    admit(&room, &bob, None);
    reader.skip(2).await;
    jammed.skip(1).await;
    assert_eq!(bob.kill_switch.reason(), None);

    // Bob's mailbox does not run in between: the room handles all of these in one turn.
    let crowd = FakeSession::new();
    (0..5).for_each(|_| admit(&room, &crowd.member(), None));
    for _ in 0..5 {
        assert!(reader.receive_news().await.contains("peer_joined"));
    }
    assert_eq!((ann.kill_switch.reason(), bob.kill_switch.reason()), (None, Some(EndReason::SlowConsumer)));

    // Nobody frees its seat for it: it is in the room until it leaves the ordinary way.
    remove(&room, &bob);
    let last = reader.receive_roster().await;
    assert!(matches!(last.news, News::Changed(..)));
    assert!(last.snapshot.find(bob.peer).is_none() && last.snapshot.members.len() == 6);
}

#[actix::test]
async fn a_room_ends_with_its_last_peer() {
    let room = open();
    let session = FakeSession::new();
    let (ann, bob) = (session.member(), session.member());
    admit(&room, &ann, None);
    admit(&room, &bob, None);
    remove(&room, &ann);
    until_handled(&room).await;
    assert!(room.connected());
    remove(&room, &bob);
    until_handled(&room).await;
    assert!(!room.connected());
    assert!(!room.send_unbounded(ToRoom::Remove { peer: bob.peer, reason: LeaveReason::Left }));
}

/// Waits until the room has handled what was sent to it, or has ended.
async fn until_handled(room: &RoomPort) {
    let nobody = FakeSession::new().member();
    room.handled(ToRoom::Remove { peer: nobody.peer, reason: LeaveReason::Left }).await;
}
