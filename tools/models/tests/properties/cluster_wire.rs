//! Entries, seats and answers that are nearly ones, and any bytes at all.

use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use switchboard_models::cluster_wire::play;

const OWNER: &str = "0000019ab3c4d5e601a";

/// A seat as it is written, now and then with a byte that it should not have.
fn seat() -> impl Strategy<Value = Vec<u8>> {
    let meta = prop_oneof!["\\{\\}", "\\{\"a\":[0-9]{1,3}\\}", "[a-z]{0,9}"];
    (any::<(bool, bool, u64)>(), "[0-9a-f]{32}|-{32}", meta).prop_map(|((resumable, away, number), who, meta)| {
        let flags = format!("{}{}", u8::from(resumable), u8::from(away));
        let numbers = format!("{number:016x}{:016x}{:016x}", number % 9, number / 2);
        format!("{flags}{numbers}{who}{OWNER}ffff{:08x}{meta}", meta.len()).into_bytes()
    })
}

fn entry(kind: u8, payload: Vec<u8>) -> Vec<u8> {
    let head = format!("{:016x}{:016x}{:016x}{:016x}", 1, 2, 3, 4).into_bytes();
    [head, vec![kind], payload].concat()
}

fn entries() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(b"LABUKNST".to_vec());
    let joined = (any::<[u8; 16]>(), seat()).prop_map(|(peer, seat)| entry(b'J', [peer.to_vec(), seat].concat()));
    let signal = (any::<[[u8; 16]; 2]>(), "[a-z]{1,100}").prop_map(|([from, to], text)| {
        let length = u8::try_from(text.len()).expect("short");
        let frame = [vec![0x81, length], text.into_bytes()].concat();
        let number = b"0000000000000007".to_vec();
        let parts = [b"o".to_vec(), OWNER.into(), number, from.to_vec(), b"0001".to_vec(), to.to_vec(), frame];
        entry(b'G', parts.concat())
    });
    let others = (kinds, prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(kind, bytes)| entry(kind, bytes));
    prop_oneof![joined, signal, others]
}

proptest! {
    #![proptest_config(crate::histories::config())]

    #[test]
    fn what_is_read_is_written_as_it_was(
        kind: u8,
        bytes in prop_oneof![entries(), seat(), prop::collection::vec(any::<u8>(), 0..300)],
        spoilt in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut bytes = bytes;
        if let (Some((at, byte)), false) = (spoilt, bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        play(&[vec![kind], bytes].concat());
    }
}
