//! Who gets as far as the supervisor, told as the takeovers are: it is not asked for a room without a good token.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::takeovers::{Client, ROOM, Sent, Stage, welcomed};
use crate::{
    auth::issue::SigningKey,
    config::{AuthMode, KeyAlgorithm, TokenKey},
    messages::{
        moderation::{ModerationError, RoomOrder},
        room::RoomPort,
        session::{Control, Moderated, News, Roster, Snapshot, ToMember},
        supervisor::Join,
    },
    protocol::{Permissions, ResumeToken, SessionId},
};

fn key_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keys").join(name)
}

fn stage() -> Stage {
    Stage::set(|settings| {
        settings.auth.mode = AuthMode::Token;
        let (algorithm, file) = (KeyAlgorithm::ES256, key_file("es256.public.pem"));
        settings.auth.keys = vec![TokenKey { algorithm, file, kid: None }];
    })
}

fn token(claims: &Value) -> String {
    let key = SigningKey::read(&key_file("es256.private.pem"), KeyAlgorithm::ES256, None).expect("a key");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    key.sign(claims.as_object().expect("claims").clone(), now, Duration::from_secs(60)).expect("a token")
}

/// As supervisor and room do it.
fn let_in(stage: &Stage, join: &Join) {
    let (member, port) = (&join.member, RoomPort::new(stage.recorder.clone().recipient()));
    let members = vec![(member.peer, Arc::clone(member))];
    let snapshot = Arc::new(Snapshot { room: join.room.clone(), capacity: 10, members, port });
    member.post(ToMember::Roster(Roster { snapshot, news: News::Joined(Box::new(welcomed(join.join_seq))) }));
}

async fn join(client: &mut Client, token: Option<&str>) {
    let mut frame = json!({"type": "join", "id": "1", "room": ROOM});
    if let Some(token) = token {
        frame["token"] = json!(token);
    }
    client.send(&frame).await;
}

/// The next thing that any session sends to anybody, which must be a join.
async fn looked_up(stage: &mut Stage) -> Join {
    match stage.receive().await {
        Sent::Join(join) => join,
        other => panic!("a join was to come: {other:?}"),
    }
}

#[actix::test]
async fn no_room_is_looked_up_for_who_has_no_good_token() {
    let mut stage = stage();
    let mut client = Client::greeted(&stage).await;
    let (elsewhere, powerless) = (token(&json!({"room": "red"})), token(&json!({"room": ROOM, "perms": ["signal"]})));
    let good = token(&json!({"room": ROOM, "perms": ["join", "admin"], "cap": 3}));
    let (broken, stranger) = (format!("{good}A"), good.replacen('.', ".e30", 1));
    for (shown, code) in [
        (None, "unauthorized"),
        (Some(&broken), "unauthorized"),
        (Some(&stranger), "unauthorized"),
        (Some(&elsewhere), "permission_denied"),
        (Some(&powerless), "permission_denied"),
    ] {
        for _ in 0..10 {
            join(&mut client, shown.map(String::as_str)).await;
            let error = client.receive().await;
            assert_eq!((&error["type"], &error["code"], &error["re"]), (&json!("error"), &json!(code), &json!("1")));
        }
    }
    join(&mut client, Some(&good)).await;
    let join = looked_up(&mut stage).await;
    assert_eq!(join.room.as_str(), ROOM);
    let grant = join.grant.expect("what the token grants");
    assert_eq!((grant.permissions, grant.cap), (Permissions::JOIN.and(Permissions::ADMIN), Some(3)));
}

/// Nor for who moderates without a permission, whatever the room: it cannot learn who is there.
#[actix::test]
async fn nobody_is_asked_for_a_kick_or_a_lock_that_is_not_permitted() {
    let mut stage = stage();
    let mut client = Client::greeted(&stage).await;
    let orders = [
        json!({"type": "kick", "id": "2", "who": "0ca96f2e12c0e13e0b715059e9e2855d", "banMs": 1000}),
        json!({"type": "kick", "id": "2", "user": "somebody"}),
        json!({"type": "lock", "id": "2", "locked": true}),
    ];
    for order in &orders {
        client.send(order).await;
        assert_eq!(client.receive().await["code"], "not_in_room");
    }
    let of = |perms: &[&str]| token(&json!({"room": ROOM, "perms": perms}));
    join(&mut client, Some(&of(&["join", "signal", "broadcast", "update"]))).await;
    let join = looked_up(&mut stage).await;
    let_in(&stage, &join);
    assert_eq!(client.receive().await["type"], "joined");
    for order in orders.iter().cycle().take(30) {
        client.send(order).await;
        let error = client.receive().await;
        assert_eq!((&error["code"], &error["re"]), (&json!("permission_denied"), &json!("2")), "{error}");
    }
    client.send(&json!({"type": "update", "token": of(&["join", "admin"])})).await;
    assert_eq!(client.receive().await["type"], "permissions");
    client.send(&orders[2]).await;
    let Sent::Moderate(moderate) = stage.receive().await else { panic!("the first that anybody is asked") };
    assert_eq!(moderate.order, RoomOrder::Lock(true));
}

#[actix::test]
async fn so_many_orders_wait_for_their_answers_and_no_more() {
    let mut stage = stage();
    let mut client = Client::greeted(&stage).await;
    join(&mut client, Some(&token(&json!({"room": ROOM, "perms": ["join", "admin"]})))).await;
    let join = looked_up(&mut stage).await;
    let_in(&stage, &join);
    assert_eq!(client.receive().await["type"], "joined");
    for n in 0..9 {
        client.send(&json!({"type": "lock", "id": n.to_string(), "locked": true})).await;
    }
    let error = client.receive().await;
    assert_eq!((&error["code"], &error["re"]), (&json!("rate_limited"), &json!("8")), "{error}");
    for n in 0..8 {
        let Sent::Moderate(moderate) = stage.receive().await else { panic!("an order") };
        let outcome = if n == 0 { Err(ModerationError::NotInRoom) } else { Ok(moderate.order) };
        moderate.member.post(Control::Moderated(Box::new(Moderated { re: moderate.re, outcome })));
        let answer = client.receive().await;
        assert_eq!(answer["re"], n.to_string(), "{answer}");
        assert_eq!(answer["type"], if n == 0 { "error" } else { "room_state" });
    }
    client.send(&json!({"type": "lock", "id": "9", "locked": true})).await;
    assert!(matches!(stage.receive().await, Sent::Moderate(_)), "there is room again");
}

#[actix::test]
async fn a_resume_with_a_bad_token_asks_nobody_and_one_without_needs_none() {
    let mut stage = stage();
    let mut client = Client::greeted(&stage).await;
    let mut frame = json!({"type": "join", "id": "1", "room": ROOM, "token": token(&json!({"room": "red"}))});
    frame["resume"] = json!({"token": ResumeToken::random(SessionId::random()).to_string(), "ack": 0});
    client.send(&frame).await;
    assert_eq!(client.receive().await["code"], "permission_denied");
    frame.as_object_mut().expect("a frame").remove("token");
    client.send(&frame).await;
    assert!(matches!(stage.receive().await, Sent::Resume(_)), "the first that anybody is asked");
}
