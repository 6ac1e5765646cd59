//! Connections that are mostly well-formed, and what the seeds of the fuzz target do not have: any bytes at all.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use switchboard_models::decoder::play;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame of less than 126 bytes, as clients send it; now and then with a first byte that nobody should send.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![0x81, 0x01, 0x00, 0x80, 0x82, 0x02, 0x88, 0x89, 0x8a]);
    let first = prop_oneof![19 => known, 1 => any::<u8>()];
    let text = "[a-zé☕😀]{0,20}".prop_map(String::into_bytes);
    let closing = (1000..5000_u16).prop_map(|code| code.to_be_bytes().to_vec());
    let payload = prop_oneof![text, closing, prop::collection::vec(any::<u8>(), 0..100)];
    (first, payload).prop_map(|(first, payload)| {
        let length = u8::try_from(payload.len()).expect("short");
        let masked = payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        [first, 0x80 | length].into_iter().chain(MASK).chain(masked).collect()
    })
}

/// A length in its longer form, whether it has to be or not.
fn long_frame() -> impl Strategy<Value = Vec<u8>> {
    (0..400_u16).prop_map(|length| {
        let head = [0x82, 0xfe].into_iter().chain(length.to_be_bytes()).chain(MASK);
        head.chain(std::iter::repeat_n(0, usize::from(length))).collect()
    })
}

proptest! {
    #![proptest_config(crate::histories::config())]

    #[test]
    fn any_pieces_decode_to_what_rfc_6455_says_of_the_whole(
        plan in any::<[u8; 4]>(),
        frames in prop::collection::vec(
            prop_oneof![16 => frame(), 2 => long_frame(), 1 => prop::collection::vec(any::<u8>(), 0..20)],
            0..8,
        ),
        // What a connection that is lost leaves of its last frame.
        lost in prop_oneof![Just(0), 0..30_usize],
    ) {
        let mut input = [plan.to_vec(), frames.concat()].concat();
        input.truncate(input.len().saturating_sub(lost));
        play(&input);
    }
}
