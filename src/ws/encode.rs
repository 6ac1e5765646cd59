//! Frames from server to client, other than the texts that the protocol encodes by itself.

use actix_codec::Encoder;
use actix_http::ws::{CloseReason, Codec, Message};
use bytes::{Bytes, BytesMut};

/// An empty ping (RFC 6455 section 5.5.2).
pub(crate) const PING: Bytes = Bytes::from_static(&[0x89, 0x00]);

/// A close frame (section 5.5.1).
pub(crate) fn close_frame(reason: Option<CloseReason>) -> Bytes {
    encode(Message::Close(reason))
}

/// The answer to a ping (section 5.5.3). Queued like text, or it would overtake, or be overtaken by, the answers to what
/// came before and after the ping.
pub(crate) fn pong_frame(payload: Bytes) -> Bytes {
    encode(Message::Pong(payload))
}

/// A whole, unmasked frame.
pub(crate) fn encode(message: Message) -> Bytes {
    let mut frame = BytesMut::new();
    // It cannot fail: only fragments can come in a wrong order, and this is none.
    let _ = Codec::new().encode(message, &mut frame);
    frame.freeze()
}
