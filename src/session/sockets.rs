//! A session needs of its socket what `ws::Socket` lists, and no TCP: here are clients behind sockets of another kind.

use actix_rt::Arbiter;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use super::takeovers::{Client, Sent, Stage};
use crate::protocol::{EndReason, LeaveReason};

impl Client {
    /// Comes over a socket that is no TCP, with its `welcome` read.
    async fn greeted_elsewhere(arbiter: Option<&Arbiter>) -> Self {
        let (socket, client) = UnixStream::pair().expect("two sockets");
        let mut client = Self::over(arbiter, socket, client);
        assert_eq!(client.receive().await["type"], "welcome");
        client
    }
}

#[actix::test]
async fn a_session_speaks_over_any_socket_on_any_thread_and_closes_it_in_the_proper_way() {
    let other = Arbiter::new();
    for arbiter in [None, Some(&other)] {
        let mut stage = Stage::set(|_| {});
        if let Some(arbiter) = arbiter {
            stage.install_on(arbiter);
        }
        let client = Client::greeted_elsewhere(arbiter).await;
        let (mut client, member, _token) = stage.joined(client).await;
        for n in 0..100 {
            client.send(&json!({"type": "ping", "id": n.to_string()})).await;
            assert_eq!(client.receive().await["re"], n.to_string());
        }
        member.kill_switch.kill(EndReason::ProtocolError);
        let bye = client.receive().await;
        assert_eq!((&bye["type"], &bye["reason"]), (&json!("bye"), &json!("protocol_error")), "{bye}");
        assert_eq!(client.receive().await, Value::Null, "a close frame");
        let Sent::Leave(leave) = stage.receive().await else { panic!("a leave") };
        assert_eq!((leave.session, leave.reason), (member.session, LeaveReason::Error));
    }
    other.stop();
}

#[actix::test]
async fn a_client_comes_back_over_a_socket_of_another_kind() {
    let mut stage = Stage::set(|_| {});
    let (_former, member, mut token) = stage.resumable().await;
    for (missed, elsewhere) in [(1, true), (2, false), (3, true)] {
        member.kill_switch.kill(EndReason::Disconnected);
        stage.receive_away(&member).await;
        stage.somebody_comes(&member);
        let client = if elsewhere { Client::greeted_elsewhere(None).await } else { Client::greeted(&stage).await };
        let (mut client, message) = stage.transfer(client, &token, "1").await;
        member.post(message);
        stage.receive_back(&member).await;
        let joined = client.receive().await;
        assert_eq!((&joined["re"], &joined["complete"]), (&json!("1"), &json!(true)), "{joined}");
        // It acknowledges nothing, so all that it was ever told comes again.
        for _ in 0..missed {
            assert_eq!(client.receive().await["type"], "peer_joined");
        }
        client.send(&json!({"type": "ping"})).await;
        assert_eq!(client.receive().await["type"], "pong");
        token = joined["resume"]["token"].as_str().expect("a token").to_owned();
    }
}
