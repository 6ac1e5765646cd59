//! What those who moderate a room are told themselves, and what is told of it while somebody is away.

use serde_json::json;

use crate::{
    moderation::{ADMIN, join, kick, refused, room_of_ada, wish},
    ops_api::{get, post},
    support::{TestPeer, eventually, expect_eq, tokens::Secrets},
    tokens::confirm,
};

/// The reply to a `lock`, and what everybody hears, in whichever order.
#[track_caller]
pub(crate) fn answered_and_told(peer: &mut TestPeer, locked: bool) {
    let heard = [peer.receive("room_state"), peer.receive("room_state")];
    assert!(heard.iter().all(|one| one["locked"] == locked), "{heard:?}");
    assert_eq!(heard.iter().filter(|one| one.json().get("re").is_some()).count(), 1, "{heard:?}");
}

/// A lock and its end of two moderators, again and again: what each heard last is how it is.
#[test]
fn of_two_who_lock_and_unlock_at_once_both_know_how_it_ends() {
    const ROUNDS: usize = 6;
    let secrets = Secrets::new();
    let server = secrets.server("token").any_pace().start();
    let mut both = ["ada", "bob"].map(|user| join(&server, &secrets, user, &ADMIN, &json!({})));
    let second = both[1].id.clone();
    both[0].receive_joined(&second);
    for _ in 0..ROUNDS {
        for (peer, locked) in both.iter_mut().zip([true, false]) {
            peer.send_json(&json!({"type": "lock", "id": "l", "locked": locked}));
        }
        let mut believed = both.each_mut().map(|peer| {
            loop {
                let heard = peer.receive("room_state");
                if heard.json().get("re").is_some() {
                    break heard["locked"].clone();
                }
            }
        });
        eventually("both believe what is so", || {
            for (peer, believed) in both.iter_mut().zip(&mut believed) {
                if let Some(last) = peer.receive_all().pop() {
                    *believed = last["locked"].clone();
                }
            }
            let is_locked = get(&server, "rooms/blue")["locked"].clone();
            expect_eq(&believed, &[is_locked.clone(), is_locked])
        });
    }
}

/// Neither a user nor an identity, and an address that has no limits.
#[test]
fn who_cannot_be_banned_is_not_kicked_either_and_the_moderator_is_told() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    let mut bob = server.connect();
    let token = secrets.token(&json!({"room": "blue", "perms": ["join"]}));
    bob.join_with_fields(&json!({"type": "join", "id": "j", "room": "blue", "token": token}));
    ada.receive_joined(&bob.id);
    let mut frame = kick("peer", &json!(bob.id));
    frame["banMs"] = json!(60_000);
    ada.send_json(&frame);
    let error = ada.receive_error("invalid_message");
    assert!(error.text("message").contains("without"), "{}", error.text);
    let order = json!({"room": "blue", "peer": bob.id, "banMs": 60_000});
    post(&server, "kick", &order).error(422, "nothing_to_ban_by");
    bob.receive_nothing();
    server.wait_for_metric("switchboard_bans", 0.0);
    ada.send_json(&kick("peer", &json!(bob.id)));
    bob.receive_bye("kicked", 4501);
}

/// What is locked or unlocked while somebody is away, it is told when it is back.
#[test]
fn a_resumed_client_is_told_of_a_lock_that_it_has_missed() {
    let (secrets, server, mut ada) = room_of_ada(|server| server);
    let mut bob = join(&server, &secrets, "bob", &["join"], &json!({"resumable": true}));
    confirm(&mut bob);
    let (id, token) = (bob.id.clone(), bob.joined.as_ref().expect("joined")["resume"]["token"].clone());
    ada.receive_joined(&id);
    bob.abort();
    assert_eq!(ada.receive("peer_away")["id"], id);
    ada.send_json(&json!({"type": "lock", "id": "l", "locked": true}));
    answered_and_told(&mut ada, true);
    let mut bob = server.connect();
    let resume = json!({"type": "join", "id": "r", "room": "blue", "attempt": 1, "resume": {"token": token, "ack": 0}});
    let joined = bob.join_with_fields(&resume);
    assert_eq!((&joined["complete"], joined.json().get("locked")), (&json!(true), None), "{}", joined.text);
    assert_eq!(bob.receive("room_state")["locked"], true);
}

#[test]
fn the_wait_for_a_ban_is_a_day_at_most() {
    let (secrets, server, mut ada) = room_of_ada(|server| server.set("limits.bans_per_room", 1));
    let mut frame = kick("user", &json!("carol"));
    frame["banMs"] = json!(2_592_000_000_u64);
    ada.send_json(&frame);
    ada.receive("kicked");
    frame["user"] = json!("bob");
    ada.send_json(&frame);
    assert_eq!(ada.receive_error("rate_limited")["retryAfterMs"], 86_400_000);
    let mut carol = server.connect();
    let error = refused(&mut carol, &wish(&secrets, "carol", &["join"], &json!({})), "banned");
    assert_eq!(error["retryAfterMs"], 86_400_000);
}
