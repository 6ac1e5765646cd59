//! Bytes in, messages out: what RFC 6455 (sections 5, 7.4 and 8.1) says of a client's frames. Knows no socket, so that
//! bytes may come from anywhere, in any pieces.

use actix_http::ws::{CloseReason, Message, OpCode, Parser};
use bytes::BytesMut;
use bytestring::ByteString;

use super::{
    error::FrameError,
    fragments::Assembly,
    frame_header::{self, Bound},
};

/// A longer partial frame is read on where it is.
const MOVED: usize = 4 * 1024;

/// One connection's decoder. Holds the bytes of at most one partial frame, and of one message that has not ended.
///
/// Counts have 32 bits, since every connection has a decoder; more than that of anything would be no bound.
#[derive(Debug)]
pub struct Decoder {
    most_bytes: u32,
    most_fragments: u32,
    /// Bytes read and not yet decoded.
    rest: BytesMut,
    /// Whether `rest` is a copy of its own, and not a slice of a shared read buffer.
    own: bool,
    /// Bytes that complete the frame that `rest` begins with; 0 while its head does not say, or when it is whole.
    missing: u32,
    assembly: Option<Box<Assembly>>,
}

impl Decoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new(bound: Bound) -> Self {
        let (most_bytes, most_fragments) = (clamped(bound.bytes), clamped(bound.fragments));
        Self { most_bytes, most_fragments, rest: BytesMut::new(), own: true, missing: 0, assembly: None }
    }

    /// Adds bytes behind those at hand.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// Bytes that are not decoded yet.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.rest
    }

    /// Bytes of memory for what is not a whole message yet.
    #[must_use]
    pub fn held(&self) -> usize {
        self.rest.len() + self.assembly.as_deref().map_or(0, |assembly| assembly.so_far().bytes)
    }

    /// Takes a slice of a shared buffer, which begins with all that was [`unread`](Self::unread).
    pub fn replace(&mut self, bytes: BytesMut) {
        self.rest = bytes;
        self.own = false;
    }

    /// Where to read the rest of a long partial frame to, and how much is missing: a frame that comes in small pieces is
    /// not moved at each of them. `None` where it is short, or where there is a whole one.
    #[must_use]
    pub fn partial(&mut self) -> Option<(&mut BytesMut, usize)> {
        (self.missing > 0 && self.rest.len() > MOVED).then_some((&mut self.rest, self.missing as usize))
    }

    /// The next whole message, control frames included, among the bytes at hand; `None` when more must come first. `permit`
    /// is asked before each whole frame, fragments and control frames included. Where it refuses, `None`: the frame stays
    /// at hand.
    ///
    /// # Errors
    /// The connection is over: what follows is not to be decoded.
    pub fn next_permitted(&mut self, mut permit: impl FnMut() -> bool) -> Result<Option<Message>, FrameError> {
        loop {
            let frame = self.inspect()?;
            self.missing = clamped(frame.map_or(0, |length| length.saturating_sub(self.rest.len())));
            if frame.is_none() || self.missing > 0 || !permit() {
                self.keep();
                return Ok(None);
            }
            if let Some(message) = self.next_frame()? {
                return Ok(Some(message));
            }
        }
    }

    /// Whether a whole frame is at hand.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        self.inspect().is_ok_and(|frame| frame.is_some_and(|length| length <= self.rest.len()))
    }

    fn inspect(&self) -> Result<Option<usize>, FrameError> {
        let bound = Bound { bytes: self.most_bytes as usize, fragments: self.most_fragments as usize };
        frame_header::inspect(&self.rest, bound, self.assembly.as_deref().map(Assembly::so_far))
    }

    /// The frame at the start of `rest`, whose header was inspected and which is all there.
    fn next_frame(&mut self) -> Result<Option<Message>, FrameError> {
        // With such a header there is nothing left that the parser could object to.
        let parsed = Parser::parse(&mut self.rest, true, usize::MAX).map_err(|_| FrameError::UnknownOpcode)?;
        let Some((last, opcode, payload)) = parsed else { return Ok(None) };
        let payload = payload.unwrap_or_default();
        if self.rest.is_empty() {
            // Lets go of the shared buffer.
            self.rest = BytesMut::new();
        }
        match opcode {
            OpCode::Ping => Ok(Some(Message::Ping(payload.freeze()))),
            OpCode::Pong => Ok(Some(Message::Pong(payload.freeze()))),
            OpCode::Close => close_reason(&payload).map(Message::Close).map(Some),
            OpCode::Text if last => {
                let text = ByteString::try_from(payload.freeze()).map_err(|_| FrameError::NotUtf8)?;
                Ok(Some(Message::Text(text)))
            }
            OpCode::Binary if last => Ok(Some(Message::Binary(payload.freeze()))),
            OpCode::Text | OpCode::Binary => {
                self.assembly = Some(Box::new(Assembly::begin(opcode == OpCode::Text, &payload)?));
                Ok(None)
            }
            OpCode::Continue => self.next_fragment(&payload, last),
            OpCode::Bad => Err(FrameError::UnknownOpcode),
        }
    }

    fn next_fragment(&mut self, payload: &[u8], last: bool) -> Result<Option<Message>, FrameError> {
        let Some(mut assembly) = self.assembly.take() else { return Err(FrameError::NothingToContinue) };
        assembly.add(payload)?;
        if last {
            return assembly.finish().map(Some);
        }
        self.assembly = Some(assembly);
        Ok(None)
    }

    /// Copies what is left off the shared buffer, which it would otherwise keep for itself.
    fn keep(&mut self) {
        if !self.own {
            self.rest = BytesMut::from(&self.rest[..]);
            self.own = true;
        }
    }
}

fn clamped(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The content of a close frame: nothing, or a code that may be sent (section 7.4) and a reason in UTF-8.
fn close_reason(payload: &[u8]) -> Result<Option<CloseReason>, FrameError> {
    if payload.get(2..).is_some_and(|reason| std::str::from_utf8(reason).is_err()) {
        return Err(FrameError::NotUtf8);
    }
    Parser::try_parse_close_payload(payload).map_err(|_| FrameError::CloseCode)
}
