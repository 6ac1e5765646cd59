//! A running room and sessions that record what it sends.

use std::sync::Arc;

use actix::Arbiter;
use serde_json::{Value, json};

use super::{Room, fake::FakeSession, gather::MOST_GATHERED};
use crate::{
    messages::{
        room::{Admit, RoomPort, ToRoom},
        session::{Member, News, Snapshot},
    },
    protocol::{EndReason, ErrorCode, LeaveReason, Meta, RoomName, Severity, Who, server::PeerView},
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
    let (member, meta) = (Arc::clone(member), about.map(meta));
    let admit = Admit {
        member,
        meta,
        who: None,
        replaced: Vec::new(),
        user: None,
        join_seq: 3,
        port: room.clone(),
        stay: None,
    };
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
    until_handled(&room).await;
    admit(&room, &bob, Some(r#"{"name":"Bob"}"#));
    until_handled(&room).await;
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

/// A room's news, as its clients are told.
fn text(news: &News) -> String {
    match news {
        News::Joined(welcomed) => format!("joined {}", welcomed.peers.len()),
        News::Resynced(welcomed) => format!("resynced {}", welcomed.peers.len()),
        News::Changed(event) => String::from_utf8(event.encoded().json().to_vec()).expect("UTF-8"),
        News::Updated(_) => "updated".to_owned(),
        News::Restored => "restored".to_owned(),
        News::Several(_) => "several".to_owned(),
    }
}

#[actix::test]
async fn what_happens_in_one_turn_is_one_snapshot_and_one_message_for_each_with_all_of_it_in_order() {
    let room = open();
    let mut sessions: Vec<_> = (0..4).map(|_| FakeSession::new()).collect();
    let peers: Vec<_> = sessions.iter().map(FakeSession::member).collect();
    admit(&room, &peers[0], None);
    until_handled(&room).await;
    let before = sessions[0].receive_roster().await.snapshot;

    admit(&room, &peers[1], None);
    admit(&room, &peers[2], None);
    update(&before, &peers[0], "{}");
    remove(&room, &peers[1]);
    admit(&room, &peers[3], None);
    until_handled(&room).await;
    let mut snapshots = Vec::new();
    for (who, expected) in [
        (0, &["peer_joined 1", "peer_joined 2", "updated", "peer_left 1", "peer_joined 3"][..]),
        (2, &["joined 2", "peer_updated 0", "peer_left 1", "peer_joined 3"]),
        (3, &["joined 2"]),
    ] {
        let mut told = Vec::new();
        let messages = sessions[who].receive_gathered().await;
        snapshots.push(Arc::clone(&messages.snapshot));
        sessions[who].give_back(messages);
        for _ in expected {
            told.push(text(&sessions[who].receive_roster().await.news));
        }
        for (told, expected) in told.iter().zip(expected) {
            let (kind, about) = expected.split_once(' ').unwrap_or((expected, ""));
            let fits = match kind {
                "joined" | "updated" => told == expected,
                _ => told.contains(kind) && told.contains(&peers[about.parse::<usize>().unwrap()].peer.to_string()),
            };
            assert!(fits, "{who} is told {told} where {expected} was expected");
        }
        assert!(sessions[who].is_silent(), "{who} is told more");
    }
    assert!(sessions[1].is_silent(), "who has left is told nothing");
    assert!(snapshots.iter().all(|snapshot| Arc::ptr_eq(snapshot, &snapshots[0])));
    let mut here: Vec<_> = [0, 2, 3].iter().map(|who: &usize| peers[*who].peer.to_string()).collect();
    here.sort();
    assert_eq!(names(&snapshots[0]), here);
}

#[actix::test]
async fn a_whole_room_that_was_asked_for_stands_between_what_came_before_and_after() {
    let room = open();
    let mut sessions: Vec<_> = (0..3).map(|_| FakeSession::new()).collect();
    let peers: Vec<_> = sessions.iter().map(FakeSession::member).collect();
    admit(&room, &peers[0], None);
    until_handled(&room).await;
    sessions[0].skip(1).await;

    admit(&room, &peers[1], None);
    for _ in 0..2 {
        assert!(room.send_unbounded(ToRoom::Resync { peer: peers[0].peer, join_seq: 3 }));
    }
    remove(&room, &peers[1]);
    admit(&room, &peers[2], None);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(text(&sessions[0].receive_roster().await.news));
    }
    assert!(told[0].contains("peer_joined") && told[2].contains("peer_left") && told[3].contains("peer_joined"));
    assert_eq!(told[1], "resynced 1", "as the room was when it was asked for");
    assert!(sessions[0].is_silent(), "two questions, one answer");
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
    let here = PeerView {
        id: ann.peer,
        meta: Some(meta(r#"{"name":"Ann"}"#)),
        who: None,
        user: None,
        polite: true,
        away_until_ms: None,
    };
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

    // Bob's mailbox does not run in between: the room handles all of these in one turn. They are more than one message tells.
    let crowd = FakeSession::new();
    (0..5 * MOST_GATHERED).for_each(|_| admit(&room, &crowd.member(), None));
    for _ in 0..5 {
        let messages = reader.receive_gathered().await;
        assert!(matches!(&messages.news, News::Several(several) if several.events.len() == MOST_GATHERED));
        reader.give_back(messages);
        for _ in 0..MOST_GATHERED {
            assert!(reader.receive_news().await.contains("peer_joined"));
        }
    }
    assert_eq!((ann.kill_switch.reason(), bob.kill_switch.reason()), (None, Some(EndReason::SlowConsumer)));

    // Nobody frees its seat for it: it is in the room until it leaves the ordinary way.
    remove(&room, &bob);
    let last = reader.receive_roster().await;
    assert!(matches!(last.news, News::Changed(..)));
    assert!(last.snapshot.find(bob.peer).is_none() && last.snapshot.members.len() == 1 + 5 * MOST_GATHERED);
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

#[actix::test]
async fn a_newcomer_takes_the_places_of_others_in_one_step() {
    let room = open();
    let (mut first, mut others, mut last) = (FakeSession::new(), FakeSession::new(), FakeSession::new());
    let (ann, ghost, former, cid) = (first.member(), others.member(), others.member(), last.member());
    for member in [&ann, &ghost, &former] {
        admit(&room, member, None);
        until_handled(&room).await;
    }
    first.skip(3).await;
    others.skip(3).await;
    let who = Some(Who::of("correct-horse-battery-staple-417", &RoomName::parse("lobby", 128).expect("a sane name")));
    let replaced = vec![ghost.peer, former.peer];
    let newcomer = Admit {
        member: Arc::clone(&cid),
        meta: None,
        who,
        user: None,
        replaced,
        join_seq: 4,
        port: room.clone(),
        stay: None,
    };
    assert!(room.send_unbounded(ToRoom::Admit(newcomer)));
    for gone in [ghost.peer, former.peer] {
        let left = format!(r#"{{"type":"peer_left","id":"{gone}","reason":"replaced"}}"#);
        assert_eq!(first.receive_news().await, left);
    }
    let joined: Value = serde_json::from_str(&first.receive_news().await).expect("JSON");
    assert_eq!((&joined["type"], &joined["id"]), (&json!("peer_joined"), &json!(cid.peer.to_string())));
    assert_eq!(joined["replaces"], former.peer.to_string(), "who came last");
    assert!(joined["who"].is_string());
    let welcome = last.receive_roster().await;
    assert_eq!(welcome.snapshot.members.len(), 2);
    let News::Joined(welcomed) = welcome.news else { panic!("a welcome") };
    assert_eq!((welcomed.who, welcomed.peers[0].id, welcomed.peers[0].who), (who, ann.peer, None));
    assert!(first.is_silent() && last.is_silent());
    assert!(others.is_silent(), "who is gone hears nothing of it");
}

#[actix::test]
async fn a_room_does_not_end_when_the_only_one_in_it_is_replaced() {
    let room = open();
    let (mut first, mut second) = (FakeSession::new(), FakeSession::new());
    let (ghost, ann) = (first.member(), second.member());
    admit(&room, &ghost, None);
    until_handled(&room).await;
    let replaced = vec![ghost.peer];
    let newcomer = Admit {
        member: Arc::clone(&ann),
        meta: None,
        who: None,
        user: None,
        replaced,
        join_seq: 4,
        port: room.clone(),
        stay: None,
    };
    assert!(room.send_unbounded(ToRoom::Admit(newcomer)));
    assert_eq!(second.receive_welcome().await, []);
    first.skip(1).await;
    assert!(first.is_silent() && room.connected());
}
