//! Whoever reads the log may be slow, or gone: the server goes on.

use crate::support::{PATIENCE, TestPeer, TestServer};

/// Makes the server log more than a pipe and its queue hold.
fn make_it_log(peer: &mut TestPeer) {
    for _ in 0..20 {
        for _ in 0..50 {
            peer.send_text("nonsense");
        }
        for _ in 0..50 {
            peer.receive_error("invalid_message");
        }
    }
}

#[test]
fn a_log_that_nobody_reads_holds_up_nobody_and_says_what_is_missing() {
    let server = TestServer::set("log.queue_lines", 50).any_pace().start();
    let mut alice = server.connect();
    server.log().hold();
    make_it_log(&mut alice);
    alice.receive_nothing();
    server.log().release();
    let gap = server.wait_for_log("how many lines are missing", |line| line.event() == "log_lines_dropped");
    let missing = gap.json["lines"].as_f64().expect("a number");
    assert!(missing > 0.0);
    crate::support::eventually("they are counted", || {
        let counted = server.scrape().value("switchboard_log_lines_dropped_total");
        if counted >= missing { Ok(()) } else { Err(format!("{counted} of {missing}")) }
    });
}

#[test]
fn a_log_whose_reader_is_gone_does_not_end_the_server() {
    let mut server = TestServer::builder().any_pace().start();
    let mut alice = server.connect();
    server.log().abandon();
    make_it_log(&mut alice);
    assert_eq!(server.get("/healthz").status, 200);
    alice.close();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_server_from_ending() {
    let mut server = TestServer::set("log.queue_lines", 50).any_pace().start();
    let mut alice = server.connect();
    server.log().hold();
    make_it_log(&mut alice);
    alice.close();
    server.terminate();
    assert_eq!(server.wait_exit(PATIENCE).code(), Some(0));
}
