//! What is written is read again, and what is not ours is refused and nothing worse.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    cluster::{Change, Head, Incarnation, NodeName, Seat, To},
    protocol::{Meta, PeerId, SignalKind, TextFrame, Who},
};

fn peers() -> impl Strategy<Value = PeerId> {
    any::<(u64, u64)>().prop_map(|(first, second)| PeerId::from_halves(first, second))
}

fn incarnations() -> impl Strategy<Value = Incarnation> {
    ("\\PC{1,40}", 1..u64::MAX).prop_map(|(node, number)| Incarnation { node: NodeName::new(&node), number })
}

fn seats() -> impl Strategy<Value = Seat> {
    let who = proptest::option::of("[0-9a-f]{32}".prop_map(|digits| Who::parse(&digits).expect("digits")));
    let meta = proptest::option::of(
        "[a-zé ]{0,300}".prop_map(|text| Meta::parse(&format!("{{\"a\":\"{text}\"}}")).expect("an object")),
    );
    let user = proptest::option::of("\\PC{0,128}".prop_map(|user| Arc::from(user.as_str())));
    let numbers = (any::<u64>(), any::<u64>(), 1..u64::MAX);
    (proptest::option::of(incarnations()), numbers, who, any::<(bool, bool)>(), meta, user).prop_map(
        |(owner, (number, version, until), who, (resumable, away), meta, user)| Seat {
            owner,
            number,
            version,
            who,
            resumable,
            away,
            until,
            meta,
            user,
        },
    )
}

fn head(letter: char) -> Vec<u8> {
    format!("{}{}{}{}{letter}", hex(7), hex(8), hex(u64::MAX), hex(9)).into_bytes()
}

fn frame(text: &str) -> TextFrame {
    TextFrame::build(text.len(), |out| out.extend(text.bytes()))
}

proptest! {
    #[test]
    fn a_seat_is_read_as_it_is_written(there in seats(), peer in peers()) {
        prop_assert_eq!(seat(&seat_bytes(&there)), Ok(there.clone()));
        let bytes = [head('J'), peer_bytes(peer).to_vec(), seat_bytes(&there)].concat();
        let read = entry(&bytes).expect("an entry");
        prop_assert_eq!(read.head, Head { life: 7, n: 8, tag: u64::MAX });
        prop_assert_eq!(read.change, Change::Joined { peer, seat: there });
    }

    #[test]
    fn a_signal_is_read_as_it_is_written(
        origin in incarnations(), number: u64, from in peers(), to in proptest::collection::vec(peers(), 0..40),
        text in "\\PC{0,70000}",
    ) {
        let sent = Sent { kind: SignalKind::Candidate, frame: frame(&text) };
        let bytes = [head('G'), signal_payload(&origin, number, from, &to, &sent)].concat();
        let Change::Signal(read) = entry(&bytes).expect("an entry").change else { panic!("no signal") };
        prop_assert_eq!((read.sender, read.to, read.origin, read.number, read.data), (from, To::Peers(to), origin, number, sent));
    }

    #[test]
    fn an_entry_that_is_cut_or_longer_is_refused(there in seats(), peer in peers(), at: proptest::sample::Index) {
        let bytes = [head('J'), peer_bytes(peer).to_vec(), seat_bytes(&there)].concat();
        prop_assert!(entry(&bytes[..at.index(bytes.len())]).is_err());
        prop_assert!(entry(&[bytes, b"x".to_vec()].concat()).is_err());
    }

    #[test]
    fn whatever_comes_is_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in "[A-Z]") {
        let _ = entry(&bytes);
        let _ = entry(&[head(kind.chars().next().expect("one")), bytes.clone()].concat());
        let _ = seat(&bytes);
        let _ = owner(&bytes);
    }
}

fn text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}

#[test]
fn an_answer_that_makes_no_sense_is_refused() {
    let list = |parts: &[Value]| Value::List(parts.to_vec());
    assert!(matches!(reply(&list(&[text("sent"), text(&hex(1)), text(&hex(2))])), Ok(Reply::Sent(1, 2))));
    for bad in [
        Value::Other,
        Value::Int(1),
        list(&[]),
        list(&[Value::Int(1)]),
        list(&[text("what")]),
        list(&[text("sent"), text("1"), text("g")]),
        list(&[text("sent"), text(&hex(1))]),
        list(&[text("generation"), Value::Int(-1), Value::Int(0)]),
        list(&[text("joined"), list(&[])]),
        list(&[text("owned"), text("")]),
        list(&[text("owned"), text("a\u{7}")]),
        list(&[text("beat"), list(&[text("a")]), list(&[])]),
        list(&[text("mine"), text("short")]),
    ] {
        assert!(reply(&bad).is_err(), "{bad:?}");
    }
}
