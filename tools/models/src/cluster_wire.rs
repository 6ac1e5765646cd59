//! What comes from Redis: whatever it is, it is read or refused, and what is read is written again as it was.

use switchboard::{
    cluster::{Change, To},
    nodes::wire::{Value, entry, owner, owner_bytes, reply, seat, seat_bytes, signal_payload},
};

/// Before an entry's kind: life, number, tag, tag before.
const HEAD: usize = 64;
/// Deeper lists are no answers.
const DEPTH: usize = 6;

/// The first byte says what the others are read as.
pub fn play(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 4 {
        0 => entries(bytes),
        1 => {
            if let Ok(read) = seat(bytes) {
                assert_eq!(seat_bytes(&read), bytes, "{read:?}");
            }
        }
        2 => {
            if let Ok(read) = owner(bytes) {
                assert_eq!(owner_bytes(&read), bytes, "{read:?}");
            }
        }
        _ => {
            let mut rest = bytes;
            let _ = reply(&value(&mut rest, DEPTH));
        }
    }
}

fn entries(bytes: &[u8]) {
    let Ok(read) = entry(bytes) else { return };
    assert_eq!(&bytes[..16], format!("{:016x}", read.head.life).as_bytes());
    match read.change {
        Change::Joined { peer: _, seat } => assert_eq!(seat_bytes(&seat), &bytes[HEAD + 1 + 16..]),
        Change::Signal(signal) => {
            let To::Peers(to) = &signal.to else { panic!("nobody writes another one") };
            let again = signal_payload(&signal.origin, signal.number, signal.sender, to, &signal.data);
            assert_eq!(again, &bytes[HEAD + 1..]);
        }
        _ => {}
    }
}

/// An answer that any bytes can be read as: a length and a text, a list, or a number.
fn value(rest: &mut &[u8], depth: usize) -> Value {
    let Some((kind, more)) = rest.split_first() else { return Value::Other };
    *rest = more;
    let many = usize::from(kind >> 2);
    match kind % 4 {
        0 | 1 => {
            let (text, more) = rest.split_at(many.min(rest.len()));
            *rest = more;
            Value::Bytes(text.to_vec())
        }
        2 if depth > 0 => Value::List((0..many.min(16)).map(|_| value(rest, depth - 1)).collect()),
        2 => Value::Other,
        _ => Value::Int(i64::try_from(many).unwrap_or_default() - 3),
    }
}
