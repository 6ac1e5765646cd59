//! What is held on behalf of clients is told by kind.

use std::io::Write;

use serde_json::json;

use crate::support::{
    TestServer, eventually, expect_eq,
    http::dial,
    ws::{first, head},
};

/// What an operator sees of that kind.
fn held(server: &TestServer, kind: &str) -> f64 {
    server.scrape().value(&format!("switchboard_held_bytes{{kind=\"{kind}\"}}"))
}

#[track_caller]
fn wait_for(server: &TestServer, kind: &str, least: f64, most: f64) {
    eventually(&format!("between {least} and {most} bytes of {kind} are held"), || match held(server, kind) {
        held if (least..=most).contains(&held) => Ok(()),
        held => Err(held.to_string()),
    });
}

#[test]
fn what_is_held_is_told_by_kind_for_as_long_as_it_is() {
    let server = TestServer::start();
    let mut partial = server.join("partial");
    partial.send(&[head(first::TEXT, 30_001, true), vec![b'x'; 30_000]].concat());
    let mut request = dial(server.public);
    request.write_all(["GET / HTTP/1.1\r\nHost: a\r\nX: ", &"x".repeat(10_000)].concat().as_bytes()).expect("write");
    let mut slow = server.join_slow("slow");
    let mut feeder = server.join("slow");
    for _ in 0..5 {
        feeder.send_signal(&slow.id, &json!("x".repeat(60_000)));
    }
    let mut absent = server.connect();
    absent.join_with_fields(&json!({"type": "join", "room": "absent", "resumable": true}));
    let mut other = server.join("absent");
    other.send_signal(&absent.id, &json!("x".repeat(5000)));

    wait_for(&server, "partial_frames", 30_000.0, 30_100.0);
    wait_for(&server, "http_heads", 10_000.0, 20_000.0);
    wait_for(&server, "outboxes", 1.0, 300_100.0);
    wait_for(&server, "resume_buffers", 5000.0, 6000.0);
    let scrape = server.scrape();
    let kernel = scrape.value("switchboard_held_bytes{kind=\"kernel_tcp\"}");
    assert_eq!(kernel, scrape.value("switchboard_memory_tcp_bytes"));

    partial.try_send(b"x").expect("the last byte");
    drop(request);
    absent.send_json(&json!({"type": "leave"}));
    slow.receive_at_last("signal");
    slow.abort();
    for kind in ["partial_frames", "http_heads", "outboxes", "resume_buffers", "transfers"] {
        eventually(&format!("no {kind} are held"), || expect_eq(&held(&server, kind), &0.0));
    }
}
