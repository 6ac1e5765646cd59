//! One datagram, and what it is answered with. No socket, no clock, no memory.

use std::net::{IpAddr, SocketAddr};

use stun_types::{
    attribute::{
        Attribute, AttributeStaticType, AttributeType, ErrorCode, MessageIntegrity, MessageIntegritySha256, Nonce,
        PasswordAlgorithm, Realm, UnknownAttributes, Userhash, Username, XorMappedAddress,
    },
    message::{BINDING, Message, MessageClass, MessageHeader, MessageWrite, MessageWriteExt, MessageWriteMutSlice},
};

use crate::telemetry::StunOutcome;

/// The longest answer: a head of 20 bytes, and XOR-MAPPED-ADDRESS with an IPv6 address in 24. That is 2.2 times the shortest
/// request, and with the heads of IP and UDP around both 1.35 times: nobody floods somebody else by it.
pub const LONGEST_ANSWER: usize = 44;
/// The longest request that is read, the least that IPv6 carries in one packet (RFC 8200 section 5). Browsers send 20 bytes.
pub const LONGEST_REQUEST: usize = 1280;
/// Below it are the ports of services (RFC 6335 section 6), which send no requests: an answer there would be for somebody who
/// never asked.
const FIRST_CLIENT_PORT: u16 = 1024;
/// As many as a 420 has room for in [`LONGEST_ANSWER`] bytes. A client that hears of six learns enough.
const UNKNOWN_ATTRIBUTES: usize = 6;
/// RFC 8489 section 18.3: what everybody has to understand. In a Binding request they say nothing to a server without
/// passwords, and are ignored. The library has no type for the first, MAPPED-ADDRESS.
const KNOWN: [AttributeType; 11] = [
    AttributeType::new(0x0001),
    Username::TYPE,
    MessageIntegrity::TYPE,
    ErrorCode::TYPE,
    UnknownAttributes::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegritySha256::TYPE,
    PasswordAlgorithm::TYPE,
    Userhash::TYPE,
    XorMappedAddress::TYPE,
];

/// What is sent back to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    bytes: [u8; LONGEST_ANSWER],
    length: usize,
    /// [`StunOutcome::Answered`], or [`StunOutcome::Unsupported`] for an error response.
    pub outcome: StunOutcome,
}

impl Answer {
    /// The datagram: at most [`LONGEST_ANSWER`] bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The answer to `request`, which came from `source`: an IPv4 address in IPv6's clothes is an IPv4 address.
///
/// A Binding request (RFC 8489 section 6.3.1) is answered with XOR-MAPPED-ADDRESS alone; one with attributes that must be
/// understood and are not, with error 420 and the first of them. There is no authentication: USERNAME and the like are ignored.
///
/// # Errors
/// Why there is no answer. No error of a client's is answered that could be somebody else's.
pub fn answer(request: &[u8], source: SocketAddr) -> Result<Answer, StunOutcome> {
    let source = SocketAddr::new(source.ip().to_canonical(), source.port());
    if !may_ask(source) {
        return Err(StunOutcome::Source);
    }
    let header = MessageHeader::from_bytes(request).map_err(|_| StunOutcome::NotStun)?;
    if !header.get_type().has_class(MessageClass::Request) || !header.get_type().has_method(BINDING) {
        return Err(StunOutcome::NotBinding);
    }
    // Section 5: all of the datagram is the message, and attributes are padded to four bytes.
    let length = usize::from(header.data_length());
    if length + MessageHeader::LENGTH != request.len() || length % 4 != 0 || request.len() > LONGEST_REQUEST {
        return Err(StunOutcome::Malformed);
    }
    // A fingerprint that is there has to be right, too.
    let message = Message::from_bytes(request).map_err(|_| StunOutcome::Malformed)?;
    write(&message, source).ok_or(StunOutcome::Malformed)
}

/// Whether a request can have been sent from there, by somebody who wants an answer.
fn may_ask(source: SocketAddr) -> bool {
    let somebody = match source.ip() {
        IpAddr::V4(v4) => !v4.is_broadcast(),
        IpAddr::V6(_) => true,
    };
    somebody && !source.ip().is_multicast() && !source.ip().is_unspecified() && source.port() >= FIRST_CLIENT_PORT
}

/// `None` if it does not fit, which no answer does not.
fn write(request: &Message<'_>, source: SocketAddr) -> Option<Answer> {
    let mut bytes = [0; LONGEST_ANSWER];
    let target = MessageWriteMutSlice::new(&mut bytes);
    let types = request.iter_attributes().map(|(_, attribute)| attribute.get_type());
    let mut unknown: Vec<_> = types.filter(|known| known.comprehension_required() && !KNOWN.contains(known)).collect();
    let (outcome, length) = if unknown.is_empty() {
        let mut success = Message::builder_success(request, target);
        success.add_attribute(&XorMappedAddress::new(source, request.transaction_id())).ok()?;
        (StunOutcome::Answered, success.finish())
    } else {
        unknown.truncate(UNKNOWN_ATTRIBUTES);
        let mut error = Message::builder_error(request, target);
        // The number says all, and a reason would not fit.
        error.add_attribute(&ErrorCode::new(ErrorCode::UNKNOWN_ATTRIBUTE, "").ok()?).ok()?;
        error.add_attribute(&UnknownAttributes::new(&unknown)).ok()?;
        (StunOutcome::Unsupported, error.finish())
    };
    Some(Answer { bytes, length, outcome })
}

#[cfg(test)]
mod tests;
