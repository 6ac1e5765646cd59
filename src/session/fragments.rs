//! Fragments put together within bounds (RFC 6455 section 5.4).

use actix_http::ws::{Item, Message, ProtocolError};
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use super::inbound::not_utf8;

/// A message whose last fragment has not come yet.
#[derive(Debug)]
pub(super) struct Assembly {
    text: bool,
    octets: BytesMut,
    fragments: usize,
}

/// Bounds of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// Octets of all fragments together.
    pub(super) bytes: usize,
    /// Number of fragments: empty ones cost no octet and could go on for ever.
    pub(super) fragments: usize,
}

/// Takes one fragment. `Ok(None)`: more to come. The codec has checked that a first fragment comes first.
pub(super) fn take(
    assembly: &mut Option<Box<Assembly>>,
    item: Item,
    bound: Bound,
) -> Result<Option<Message>, ProtocolError> {
    let (fragment, last) = match item {
        Item::FirstText(octets) | Item::FirstBinary(octets) if assembly.is_some() => (octets, false),
        Item::FirstText(octets) => {
            *assembly = Some(Box::new(Assembly::begin(true, &octets)));
            return Ok(None);
        }
        Item::FirstBinary(octets) => {
            *assembly = Some(Box::new(Assembly::begin(false, &octets)));
            return Ok(None);
        }
        Item::Continue(octets) => (octets, false),
        Item::Last(octets) => (octets, true),
    };
    let Some(open) = assembly.as_mut() else { return Err(ProtocolError::ContinuationNotStarted) };
    open.add(&fragment, bound)?;
    if !last {
        return Ok(None);
    }
    match assembly.take() {
        Some(whole) => whole.finish().map(Some),
        None => Err(ProtocolError::ContinuationNotStarted),
    }
}

impl Assembly {
    fn begin(text: bool, first: &[u8]) -> Self {
        Self { text, octets: BytesMut::from(first), fragments: 1 }
    }

    fn add(&mut self, fragment: &Bytes, bound: Bound) -> Result<(), ProtocolError> {
        self.fragments += 1;
        if self.octets.len() + fragment.len() > bound.bytes || self.fragments > bound.fragments {
            return Err(ProtocolError::Overflow);
        }
        self.octets.extend_from_slice(fragment);
        Ok(())
    }

    fn finish(self) -> Result<Message, ProtocolError> {
        let octets = self.octets.freeze();
        if self.text {
            ByteString::try_from(octets).map(Message::Text).map_err(not_utf8)
        } else {
            Ok(Message::Binary(octets))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound = Bound { bytes: 8, fragments: 3 };

    fn feed(items: impl IntoIterator<Item = Item>) -> Result<Option<Message>, ProtocolError> {
        let mut assembly = None;
        let mut last = None;
        for item in items {
            last = take(&mut assembly, item, BOUND)?;
        }
        Ok(last)
    }

    fn octets(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn fragments_become_one_message() {
        let whole =
            feed([Item::FirstText(octets("ab")), Item::Continue(octets("c")), Item::Last(octets("d"))]).unwrap();
        assert_eq!(whole, Some(Message::Text("abcd".into())));
    }

    #[test]
    fn a_character_may_be_split_between_fragments() {
        let [first, second] = ["é".as_bytes()[0], "é".as_bytes()[1]];
        let items = [Item::FirstText(Bytes::copy_from_slice(&[first])), Item::Last(Bytes::copy_from_slice(&[second]))];
        assert_eq!(feed(items).unwrap(), Some(Message::Text("é".into())));
    }

    #[test]
    fn octets_and_fragments_are_bounded() {
        let long = feed([Item::FirstText(octets("12345")), Item::Last(octets("6789"))]);
        assert!(matches!(long, Err(ProtocolError::Overflow)));
        let many = std::iter::once(Item::FirstText(octets(""))).chain((0..3).map(|_| Item::Continue(Bytes::new())));
        assert!(matches!(feed(many), Err(ProtocolError::Overflow)));
    }

    #[test]
    fn what_never_began_cannot_go_on() {
        assert!(matches!(feed([Item::Last(octets("x"))]), Err(ProtocolError::ContinuationNotStarted)));
    }
}
