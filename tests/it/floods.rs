//! Whoever sends without end is slowed down by the server, and everybody else is served meanwhile.

use serde_json::json;

use crate::support::{
    TestPeer, TestServer, eventually,
    ws::{first, frame},
};

/// With as many on two threads, and a turn of 64 KiB for each, a request waits for seconds.
const FLOODERS: usize = 48;

/// Never stops sending while there is a server: signals to a room with nobody else in it, and control frames.
fn flood(mut flooder: TestPeer) {
    let signal = json!({"type": "signal", "to": "*", "kind": "app", "data": 1}).to_string();
    let mut bytes = frame(first::TEXT, signal.as_bytes());
    bytes.extend(frame(first::PONG, b"").repeat(3));
    let bytes = bytes.repeat(1000);
    while flooder.try_send(&bytes).is_ok() {}
}

#[test]
fn floods_take_no_turn_from_requests_probes_joins_and_calls() {
    let server = TestServer::builder().any_pace().start();
    let [mut alice, mut bob] = server.join_some("blue");
    let mut idle = server.connect();
    let flooders: Vec<TestPeer> = (0..FLOODERS).map(|room| server.join(&format!("flood {room}"))).collect();
    let floods: Vec<_> = flooders.into_iter().map(|flooder| std::thread::spawn(move || flood(flooder))).collect();
    eventually("the arbiters have too much to do", || match server.scrape().value("switchboard_busy_rounds_total") {
        0.0 => Err("there is time for all".to_owned()),
        _ => Ok(()),
    });
    for round in 0..20 {
        assert_eq!(server.get("/healthz").status, 200, "every thread answers in time");
        assert_eq!(server.get("/").status, 200);
        assert_eq!(server.ops_get("/metrics").status, 200);
        let mut newcomer = server.join(&format!("red {round}"));
        newcomer.receive_nothing();
        newcomer.close();
        alice.send_signal(&bob.id, &json!(round));
        assert_eq!(bob.receive("signal")["data"], round);
    }
    idle.receive_nothing();
    assert!(server.log().lines_where("liveness_changed").is_empty());
    assert!(floods.iter().all(|flood| !flood.is_finished()), "nor is it the flooders' end");
    drop(server);
    for flood in floods {
        flood.join().expect("a flood");
    }
}
