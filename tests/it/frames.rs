//! Frames that RFC 6455 forbids, limits, or allows though few clients send them.

use serde_json::json;

use crate::support::{
    TestPeer, TestServer,
    ws::{Frame, close_payload, first, frame, head, unmasked_frame},
};

const PING: &[u8] = br#"{"type":"ping","id":"whole"}"#;

/// In a fresh room of two, one sends these bytes; it is closed with that reason and code, and the other is told.
#[track_caller]
fn closes(server: &TestServer, bytes: &[u8], reason: &str, code: u16) {
    let [mut sender, mut witness] = server.join_some("blue");
    sender.send(bytes);
    let bye = sender.receive_bye(reason, code);
    assert_eq!(bye["action"], "disconnect", "{}", bye.text);
    witness.receive_left(&sender.id, "error");
    witness.leave();
}

/// Hears a pong, which must carry these bytes.
#[track_caller]
fn receive_pong(peer: &mut TestPeer, payload: &[u8]) {
    assert_eq!(peer.next(crate::support::PATIENCE), Ok(Frame::Pong(payload.to_vec())));
}

#[test]
fn a_frame_that_announces_too_much_is_refused_at_its_head() {
    let server = TestServer::start();
    for length in [65_537, 1 << 20, 1 << 30, u64::MAX >> 1] {
        closes(&server, &head(first::TEXT, length, true), "message_too_large", 1009);
    }
}

#[test]
fn a_gigabyte_that_was_announced_is_thrown_away_as_it_comes() {
    let server = TestServer::start();
    server.join("blue").close();
    let before = server.memory_kib("VmHWM");
    let mut flooder = server.connect();
    flooder.send(&head(first::TEXT, 1 << 30, true));
    let megabyte = vec![0; 1 << 20];
    // The server hangs up before all of it is sent.
    let _ = (0..64).try_for_each(|_| flooder.try_send(&megabyte));
    server.connect().receive_nothing();
    let grown = server.memory_kib("VmHWM") - before;
    assert!(grown < 16 << 10, "{grown} KiB more for 64 MB of a message that was refused");
}

#[test]
fn a_binary_message_is_not_supported() {
    let server = TestServer::start();
    closes(&server, &frame(first::BINARY, PING), "binary_message", 1003);
    let pieces = [frame(first::BINARY & !0x80, PING), frame(first::ENDS, PING)];
    closes(&server, &pieces.concat(), "binary_message", 1003);
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let server = TestServer::start();
    let texts: [&[u8]; 4] = [b"{\"type\":\"ping\",\"id\":\"\xff\"}", b"\xc0\xaf", b"\xed\xa0\x80", b"caf\xc3"];
    for text in texts {
        closes(&server, &frame(first::TEXT, text), "invalid_utf8", 1007);
    }
    let (begin, end) = (frame(first::TEXT_BEGINS, b"caf\xc3"), frame(first::ENDS, b"x"));
    closes(&server, &[begin, end].concat(), "invalid_utf8", 1007);
}

#[test]
fn what_rfc_6455_forbids_is_a_protocol_error() {
    let server = TestServer::start();
    let reserved = |bit: u8| frame(first::TEXT | bit, PING);
    let cases = [
        ("no mask", unmasked_frame(first::TEXT, PING)),
        ("RSV1", reserved(first::RESERVED_BIT)),
        ("RSV2", reserved(0x20)),
        ("RSV3", reserved(0x10)),
        ("a reserved data opcode", frame(0x83, PING)),
        ("a reserved control opcode", frame(0x8b, b"")),
        ("a continuation of nothing", frame(first::ENDS, PING)),
        ("a message within a message", [frame(first::TEXT_BEGINS, b"{"), frame(first::TEXT, PING)].concat()),
        ("a length of 64 bits", head(first::TEXT, 1 << 63, true)),
        ("a length in a longer form than it needs", [&[first::TEXT, 0xfe, 0, 0][..], &[0; 4]].concat()),
        ("a ping in fragments", frame(first::PING & !0x80, b"x")),
        ("a close in fragments", frame(first::CLOSE & !0x80, &close_payload(1000, ""))),
        ("a ping of 126 bytes", frame(first::PING, &[b'x'; 126])),
        ("a pong that announces 126 bytes", head(first::PONG, 126, true)),
        ("a close frame of one byte", frame(first::CLOSE, b"\x03")),
        ("a close code that nobody may send", frame(first::CLOSE, &close_payload(1005, ""))),
        ("a close code below 1000", frame(first::CLOSE, &close_payload(999, ""))),
        ("a close code that means nothing", frame(first::CLOSE, &close_payload(2999, ""))),
        ("the first byte of a reserved opcode", vec![0x83]),
        ("the first byte of a continuation of nothing", vec![first::GOES_ON]),
    ];
    for (what, bytes) in cases {
        eprintln!("case: {what}");
        closes(&server, &bytes, "protocol_error", 1002);
    }
}

#[test]
fn a_close_reason_that_is_not_utf_8_is_refused() {
    let server = TestServer::start();
    closes(&server, &frame(first::CLOSE, b"\x03\xe8\xff\xff"), "invalid_utf8", 1007);
}

#[test]
fn a_fragment_that_breaks_the_text_is_refused_before_the_next_one_comes() {
    let server = TestServer::start();
    let broken = [frame(first::TEXT_BEGINS, b"caf\xc3"), frame(first::GOES_ON, b"x")].concat();
    closes(&server, &broken, "invalid_utf8", 1007);
    closes(&server, &frame(first::TEXT_BEGINS, b"\xf8"), "invalid_utf8", 1007);
}

#[test]
fn a_message_in_fragments_is_put_together() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for pieces in [2, 3, PING.len()] {
        let size = PING.len().div_ceil(pieces);
        let chunks: Vec<_> = PING.chunks(size).collect();
        for (place, chunk) in chunks.iter().enumerate() {
            let opcode = if place == 0 { first::TEXT_BEGINS } else { first::GOES_ON };
            let fin = if place + 1 == chunks.len() { first::ENDS } else { 0 };
            alice.send(&frame(opcode | fin, chunk));
        }
        assert_eq!(alice.receive("pong")["re"], "whole", "in {pieces} pieces");
    }
}

#[test]
fn a_character_may_be_split_between_two_fragments() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let text = r#"{"type":"ping","id":"é☕😀"}"#.as_bytes();
    for cut in 20..text.len() {
        alice.send(&frame(first::TEXT_BEGINS, &text[..cut]));
        alice.send(&frame(first::ENDS, &text[cut..]));
        assert_eq!(alice.receive("pong")["re"], "é☕😀", "cut at {cut}");
    }
}

#[test]
fn empty_fragments_are_part_of_a_message_too() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let empty = frame(first::GOES_ON, b"");
    alice.send(&[frame(first::TEXT_BEGINS, b""), empty.clone(), frame(first::GOES_ON, PING), empty].concat());
    alice.send(&frame(first::ENDS, b""));
    alice.receive("pong");
}

#[test]
fn control_frames_between_fragments_are_answered_at_once() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send(&frame(first::TEXT_BEGINS, &PING[..9]));
    alice.send(&frame(first::PING, b"between"));
    receive_pong(&mut alice, b"between");
    alice.send(&frame(first::PONG, b"nobody asked"));
    alice.send(&frame(first::ENDS, &PING[9..]));
    assert_eq!(alice.receive("pong")["re"], "whole");
}

#[test]
fn a_message_in_more_fragments_than_allowed_is_refused() {
    let server = TestServer::set("limits.fragments", 8).start();
    let [mut sender, mut witness] = server.join_some("blue");
    let goes_on = frame(first::GOES_ON, b"");
    sender.send(&[frame(first::TEXT_BEGINS, b""), goes_on.repeat(8)].concat());
    sender.receive_bye("message_too_large", 1009);
    witness.receive_left(&sender.id, "error");
}

#[test]
fn fragments_that_add_up_to_too_much_are_refused() {
    let server = TestServer::start();
    let piece = vec![b' '; 32_768];
    let whole = [frame(first::TEXT_BEGINS, &piece), frame(first::GOES_ON, &piece)].concat();
    for last in [frame(first::ENDS, b" "), head(first::ENDS, 1, true)] {
        closes(&server, &[whole.clone(), last].concat(), "message_too_large", 1009);
    }
}

#[test]
fn a_ping_is_answered_with_its_own_payload() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for payload in [b"".as_slice(), b"hello", b"\x00\xff\xfe", &[b'x'; 125]] {
        alice.send(&frame(first::PING, payload));
        receive_pong(&mut alice, payload);
    }
}

#[test]
fn a_ping_is_answered_in_its_turn() {
    let server = TestServer::start();
    let mut alice = server.connect();
    let (text, ping) = (frame(first::TEXT, PING), frame(first::PING, b"between"));
    alice.send(&[text.clone(), ping, text].concat());
    alice.receive("pong");
    receive_pong(&mut alice, b"between");
    alice.receive("pong");
}

#[test]
fn a_close_is_answered_with_the_same_code_and_the_connection_ends() {
    let server = TestServer::start();
    for code in [1000, 1001, 3000, 4999] {
        let [mut leaver, mut witness] = server.join_some("blue");
        leaver.send(&frame(first::CLOSE, &close_payload(code, "good bye")));
        leaver.receive_close(code);
        leaver.receive_end();
        witness.receive_left(&leaver.id, "left");
        witness.leave();
    }
}

#[test]
fn a_close_without_a_code_is_answered_and_is_a_proper_leave() {
    let server = TestServer::start();
    let [mut leaver, mut witness] = server.join_some("blue");
    leaver.send(&frame(first::CLOSE, b""));
    let answer = leaver.next(crate::support::PATIENCE);
    assert!(matches!(answer, Ok(Frame::Close(None | Some(1000), _))), "{answer:?}");
    leaver.receive_end();
    witness.receive_left(&leaver.id, "left");
}

#[test]
fn nothing_that_follows_a_close_frame_is_handled() {
    let server = TestServer::start();
    let [mut leaver, mut witness] = server.join_some("blue");
    let signal = json!({"type": "signal", "to": "*", "kind": "app", "data": "too late"}).to_string();
    leaver.send(&[frame(first::CLOSE, &close_payload(1000, "")), frame(first::TEXT, signal.as_bytes())].concat());
    witness.receive_left(&leaver.id, "left");
    witness.receive_nothing();
}

#[test]
fn a_message_that_comes_byte_by_byte_is_read() {
    let server = TestServer::start();
    let mut alice = server.connect();
    for byte in frame(first::TEXT, PING) {
        alice.send(&[byte]);
    }
    assert_eq!(alice.receive("pong")["re"], "whole");
}

#[test]
fn many_messages_in_one_piece_are_all_read() {
    let server = TestServer::start();
    let mut alice = server.connect();
    alice.send(&frame(first::TEXT, PING).repeat(200));
    for _ in 0..200 {
        alice.receive("pong");
    }
}

#[test]
fn a_partial_frame_at_the_end_of_a_connection_is_no_message() {
    let server = TestServer::start();
    let [mut sender, mut witness] = server.join_some("blue");
    let signal = json!({"type": "signal", "to": "*", "kind": "app", "data": 1}).to_string();
    let whole = frame(first::TEXT, signal.as_bytes());
    sender.send(&whole[..whole.len() - 1]);
    sender.hang_up();
    sender.receive_end();
    witness.receive_left(&sender.id, "disconnected");
}
