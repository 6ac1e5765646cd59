//! What clients say.

/// A WebRTC offer to that peer, 2 kB long, with the line ends and slashes that SDP is full of.
pub(crate) fn offer(to: &str) -> String {
    const LENGTH: usize = 2048;
    let line =
        r"a=candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0\r\n";
    let mut text = format!(r#"{{"type":"signal","to":"{to}","kind":"offer","data":{{"type":"offer","sdp":"v=0\r\n"#);
    let end = r#""}}"#;
    while text.len() + line.len() + end.len() <= LENGTH {
        text.push_str(line);
    }
    text + end
}

/// An ICE candidate to that peer.
pub(crate) fn candidate(to: &str) -> String {
    let candidate = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0";
    let place = r#""sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"8Tyu""#;
    format!(r#"{{"type":"signal","to":"{to}","kind":"candidate","data":{{"candidate":"{candidate}",{place}}}}}"#)
}

/// The metadata of a browser's peer.
pub(crate) const META: &str = r#"{"name":"Ada Lovelace","avatar":"https://example.com/a/4611.png","muted":false}"#;
/// A peer's name.
pub(crate) const PEER: &str = "3f1c9a52d07e4b6f8a1b2c3d4e5f6071";

/// That text as a client's frame (RFC 6455 section 5.2). At most 64 KiB less one byte.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
    let length = u16::try_from(text.len()).expect("a text of a bench is short");
    let mut frame = match u8::try_from(length) {
        Ok(short @ 0..=125) => vec![0x81, 0x80 | short],
        _ => [&[0x81, 0xfe][..], &length.to_be_bytes()].concat(),
    };
    frame.extend(MASK);
    frame.extend(text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
