//! A room's rules: a peer comes, a peer goes, and the room's picture is drawn anew after each.

use std::{hint::black_box, sync::Arc};

use switchboard::{
    protocol::{LeaveReason, PeerId},
    room::state::RoomState,
};

use super::Step;

/// Always the same names, spread over the order by which they are sorted.
fn name(number: u32) -> PeerId {
    let first = number.wrapping_mul(0x9e37_79b9);
    PeerId::parse(&format!("{first:08x}00004000800000000000{number:04x}")).expect("the name of a peer")
}

/// In a room with so many others.
fn change(others: u32) -> Step {
    let mut room = RoomState::default();
    for number in 0..others {
        room.admit(name(number), None, None, None, Arc::new(number));
    }
    let (newcomer, member) = (name(others), Arc::new(others));
    Step::of(move || {
        black_box(room.admit(black_box(newcomer), None, None, None, Arc::clone(&member)));
        black_box(room.sorted());
        black_box(room.remove(newcomer, LeaveReason::Left));
        black_box(room.sorted());
    })
}

pub(crate) fn change_10() -> Step {
    change(10)
}

pub(crate) fn change_100() -> Step {
    change(100)
}
