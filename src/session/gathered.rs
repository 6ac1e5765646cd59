//! What a session makes of several changes in one message of its room; told as the takeovers are.

use std::sync::Arc;

use serde_json::json;

use super::takeovers::{Client, Sent, Stage};
use crate::{
    messages::{
        Inbox, Mark, PeerChange, PresenceState, ResumeRequests, RoomEvent,
        room::ToRoom,
        session::{Deliver, Member, News, Roster, Several, Snapshot, ToMember, Welcomed},
    },
    protocol::{
        LeaveReason, Meta, PeerId, SessionId, SignalKind,
        server::{PeerView, ServerFrame, encode},
    },
};

/// Somebody who is reached as `member` is, under another name.
pub(super) fn another(member: &Member) -> Arc<Member> {
    Arc::new(Member {
        peer: PeerId::random(),
        session: SessionId::random(),
        request: member.request.clone(),
        source: member.source,
        port: member.port.clone(),
        kill_switch: member.kill_switch.clone(),
        resume: ResumeRequests::default(),
        presence: PresenceState::default(),
        inbox: Inbox::default(),
    })
}

/// The room with these in it, as its sessions have it.
pub(super) fn room(stage: &Stage, members: &[&Arc<Member>]) -> Arc<Snapshot> {
    let before = stage.snapshot.as_ref().expect("a room");
    let mut members: Vec<_> = members.iter().map(|member| (member.peer, Arc::clone(member))).collect();
    members.sort_unstable_by_key(|(peer, _)| *peer);
    let (room, capacity, port) = (before.room.clone(), before.capacity, before.port.clone());
    Arc::new(Snapshot { room, capacity, members, port })
}

fn joined() -> PeerChange {
    PeerChange::Joined { meta: None, who: None, user: None, replaces: None }
}

fn several(snapshot: Arc<Snapshot>, events: Vec<Arc<RoomEvent>>, whole: Option<(usize, News)>) -> ToMember {
    let news = News::Several(Box::new(Several { events: Arc::from(events), from: 0, whole }));
    ToMember::Roster(Roster { snapshot, news })
}

#[actix::test]
async fn all_news_of_one_message_are_sent_in_order_and_its_own_update_is_the_answer() {
    let mut stage = Stage::set(|_| {});
    let (mut client, member, _) = stage.resumable().await;
    client.send(&json!({"type": "update", "id": "7", "meta": {"hand": "up"}})).await;
    assert!(matches!(stage.receive().await, Sent::Room(ToRoom::Update { .. })));
    let (ann, bob) = (another(&member), another(&member));
    let meta = Meta::from_checked(r#"{"hand":"up"}"#);
    let events = vec![
        RoomEvent::new(ann.peer, joined()),
        RoomEvent::new(member.peer, PeerChange::Updated(meta)),
        RoomEvent::new(ann.peer, PeerChange::Left(LeaveReason::Left)),
        RoomEvent::new(member.peer, PeerChange::Back),
        RoomEvent::new(bob.peer, joined()),
    ];
    member.post(several(room(&stage, &[&member, &bob]), events, None));
    for (kind, about) in [("peer_joined", &ann), ("peer_updated", &member), ("peer_left", &ann), ("peer_joined", &bob)]
    {
        let frame = client.receive().await;
        assert_eq!((&frame["type"], &frame["id"]), (&json!(kind), &json!(about.peer.to_string())), "{frame}");
        if kind == "peer_updated" {
            assert_eq!(frame["re"], "7");
        }
    }
    client.send(&json!({"type": "ping"})).await;
    assert_eq!(client.receive().await["type"], "pong", "of its own return it is sent nothing");
}

/// Its signal was accepted before it left, and what is gathered must not lose it.
#[actix::test]
async fn a_signal_that_waited_for_the_whole_room_is_sent_although_its_sender_left_in_the_same_turn() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, token) = stage.resumable().await;
    let ann = another(&member);
    let news = News::Changed(RoomEvent::new(ann.peer, joined()));
    member.post(ToMember::Roster(Roster { snapshot: room(&stage, &[&member, &ann]), news }));
    member.kill_switch.kill_for_lost_message();
    stage.receive_away(&member).await;
    let client = Client::greeted(&stage).await;
    let (mut client, message) = stage.transfer(client, &token, "1").await;
    member.post(message);
    stage.receive_back(&member).await;
    let Sent::Room(ToRoom::Resync { join_seq, .. }) = stage.receive().await else { panic!("the whole room is needed") };

    let (from, kind) = (ann.peer, SignalKind::Offer);
    let frame = encode(&ServerFrame::Signal { from, kind, data: r#"{"sdp":"x"}"# });
    member.post(ToMember::Deliver(Deliver { from, kind, frame, read_at: None, mark: Mark::default() }));
    let seen = PeerView { id: ann.peer, meta: None, who: None, user: None, polite: false, away_until_ms: None };
    let whole =
        News::Resynced(Box::new(Welcomed { join_seq, peers: vec![seen], meta: None, who: None, locked: false }));
    let left = RoomEvent::new(ann.peer, PeerChange::Left(LeaveReason::Left));
    member.post(several(room(&stage, &[&member]), vec![left], Some((0, whole))));

    let joined = client.receive().await;
    assert_eq!((&joined["complete"], &joined["peers"][0]["id"]), (&json!(false), &json!(ann.peer.to_string())));
    let signal = client.receive().await;
    assert_eq!((&signal["type"], &signal["data"]["sdp"]), (&json!("signal"), &json!("x")), "{signal}");
    assert_eq!(client.receive().await["type"], "peer_left");
}
