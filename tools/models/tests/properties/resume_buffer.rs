//! The resume buffer against random histories, and against every place at which one history can be cut.

use bytes::Bytes;
use proptest::prelude::{any, prop, proptest};

use switchboard::{
    protocol::ResumeSecret,
    session::resume_buffer::{Keep, ResumeBuffer},
};
use switchboard_models::resume_buffer::{Step, play};

const KEEP: Keep = Keep { frames: 6, bytes: 60 };

proptest! {
    #![proptest_config(crate::histories::config())]

    #[test]
    fn every_frame_arrives_once_and_in_order_or_the_client_is_told(
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..80)
    ) {
        play(steps.into_iter().map(|(kind, size)| Step::read(kind, size)));
    }
}

/// Both sides say so many frames, of which these many arrive each way before the socket is gone.
fn talk(frames: usize, down: usize, up: usize) -> impl Iterator<Item = Step> {
    let said = (0..frames).flat_map(|_| [Step::ServerSends(8), Step::ClientSends]);
    let received = std::iter::repeat_n(Step::ClientReceives, down).chain(std::iter::repeat_n(Step::ServerReceives, up));
    said.chain(received).chain([Step::KillSwitch])
}

#[test]
fn the_stream_may_be_cut_after_every_frame_in_both_directions_and_any_number_of_answers_lost() {
    let most = KEEP.frames + 1;
    let mut played = 0;
    for (frames, lost) in (0..=most).flat_map(|frames| (0..3).map(move |lost| (frames, lost))) {
        for (down, up) in (0..=frames).flat_map(|down| (0..=frames).map(move |up| (down, up))) {
            for refused in [false, true] {
                let answers = std::iter::repeat_n(Step::Resume(false), lost).chain([Step::Resume(true)]);
                // What is said between the answers is missed by all of them but the last.
                let answers = answers.flat_map(|answer| [Step::ServerSends(8), answer]);
                let before = refused.then_some(Step::LoseMessage);
                // Twice: what the first resume leaves behind, the second has to cope with.
                let once: Vec<_> = talk(frames, down, up).chain(before).chain(answers).collect();
                play(once.iter().copied());
                play(once.iter().chain(&once).copied());
                played += 2;
            }
        }
    }
    assert_eq!(played, 2448, "histories");
}

#[test]
fn an_idle_peer_holds_nothing_and_dishonest_acks_change_nothing() {
    let mut resume_buffer = ResumeBuffer::new(ResumeSecret::random());
    let frame = Bytes::from_static(&[0; 8]);
    resume_buffer.record(&frame, KEEP);
    resume_buffer.record(&frame, KEEP);
    assert!(resume_buffer.acked(3).is_err());
    assert!(resume_buffer.acked(2).is_ok());
    assert!(resume_buffer.acked(1).is_err());
    assert_eq!(resume_buffer.kept(), (0, 0));
}

#[test]
fn a_token_that_was_followed_is_good_until_the_next_one_is_proven() {
    let (first, second, third) = (ResumeSecret::random(), ResumeSecret::random(), ResumeSecret::random());
    let mut resume_buffer = ResumeBuffer::new(first);
    assert!(!resume_buffer.may_park(), "a client whose joined may be lost has nothing to come back with");
    resume_buffer.confirm();
    assert!(resume_buffer.may_park());
    resume_buffer.resume(&first, 0, second).unwrap();
    assert!(resume_buffer.knows(&first) && resume_buffer.knows(&second));
    resume_buffer.resume(&first, 0, third).unwrap();
    assert!(resume_buffer.knows(&first) && resume_buffer.knows(&third) && !resume_buffer.knows(&second));
    resume_buffer.confirm();
    assert!(!resume_buffer.knows(&first) && resume_buffer.knows(&third));
}
