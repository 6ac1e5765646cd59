//! Rooms that panic or hang for a while on demand, in test builds only.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{
    messages::room::{RoomFault, RoomPort, ToRoom},
    protocol::RoomName,
};

/// The latest room of each name, for the tests' route: nobody else has a use for such a list.
static ROOMS: Mutex<Option<HashMap<RoomName, RoomPort>>> = Mutex::new(None);

pub(super) fn enlist(name: RoomName, room: RoomPort) {
    let mut rooms = ROOMS.lock().unwrap_or_else(PoisonError::into_inner);
    rooms.get_or_insert_default().insert(name, room);
}

/// What the room does about it.
pub(super) fn fail(fault: RoomFault) {
    match fault {
        RoomFault::Panic => panic!("a fault was injected"),
        RoomFault::Stall(time) => thread::sleep(time),
    }
}

/// Makes the room of that name fail. `false`: there is none.
pub fn make_fail(name: &RoomName, fault: RoomFault) -> bool {
    let rooms = ROOMS.lock().unwrap_or_else(PoisonError::into_inner);
    rooms.as_ref().and_then(|rooms| rooms.get(name)).is_some_and(|room| room.try_send(ToRoom::Fail(fault)).is_ok())
}
