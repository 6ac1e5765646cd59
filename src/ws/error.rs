//! What is wrong with a client's frames.

use crate::protocol::close_code;

/// The rule of RFC 6455, or the bound on a message, that a client has broken. Its connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A reserved bit is set: they belong to extensions, and none is ever negotiated (section 5.2).
    ReservedBits,
    /// An opcode that means nothing (section 5.2).
    UnknownOpcode,
    /// A control frame without FIN (section 5.5).
    FragmentedControl,
    /// A control frame of more than 125 bytes (section 5.5).
    LongControl,
    /// A text or binary frame while another message has not ended (section 5.4).
    MessageInMessage,
    /// A continuation of nothing (section 5.4).
    NothingToContinue,
    /// A frame without a mask (section 5.1).
    Unmasked,
    /// A length that is not in its shortest form, or has the highest of its 64 bits set (section 5.2).
    LengthForm,
    /// A close frame with half a code, or with one that must not be sent (section 7.4).
    CloseCode,
    /// Text, or a close frame's reason, that is not UTF-8 (section 8.1).
    NotUtf8,
    /// A message of more bytes or fragments than its bound.
    TooBig,
}

impl FrameError {
    /// The code that the connection is closed with (section 7.4.1).
    #[must_use]
    pub fn close_code(self) -> u16 {
        match self {
            Self::ReservedBits
            | Self::UnknownOpcode
            | Self::FragmentedControl
            | Self::LongControl
            | Self::MessageInMessage
            | Self::NothingToContinue
            | Self::Unmasked
            | Self::LengthForm
            | Self::CloseCode => close_code::PROTOCOL_ERROR,
            Self::NotUtf8 => close_code::INVALID_PAYLOAD,
            Self::TooBig => close_code::TOO_BIG,
        }
    }
}
