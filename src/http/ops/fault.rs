//! `POST /fault/{what}` on the ops listener, in test builds only.

use std::{thread, time::Duration};

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::ports::Ops;
use crate::{
    messages::{room::RoomFault, supervisor::Fault},
    protocol::{RoomName, SessionId},
    room::make_fail,
};

/// Time for the answer to leave before its thread hangs.
const ANSWER_FIRST: Duration = Duration::from_millis(20);
/// Longer than any patience.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// Shorter than the watch's patience, and long enough for a test on a busy machine.
const FOR_A_WHILE: Duration = Duration::from_secs(2);
/// Longest name of a room, whatever is configured.
const ROOM_NAME_BYTES: usize = 1024;

/// The room or peer that it concerns.
#[derive(Deserialize)]
pub(in crate::http) struct Target {
    room: Option<String>,
    session: Option<String>,
    /// For how long, where it ends by itself; in milliseconds.
    ms: Option<u64>,
}

/// 202, or 404 where there is no such fault.
pub(in crate::http) async fn inject(
    what: web::Path<String>,
    target: web::Query<Target>,
    ops: web::Data<Ops>,
) -> HttpResponse {
    if *what == "worker-stall" {
        actix_rt::spawn(async {
            tokio::time::sleep(ANSWER_FIRST).await;
            thread::sleep(FOR_EVER);
        });
        return HttpResponse::Accepted().finish();
    }
    if taken(&what, &target, &ops) { HttpResponse::Accepted().finish() } else { HttpResponse::NotFound().finish() }
}

fn room_fails(target: &Target, fault: RoomFault) -> bool {
    let room = target.room.as_deref().and_then(|name| RoomName::parse(name, ROOM_NAME_BYTES).ok());
    room.is_some_and(|room| make_fail(&room, fault))
}

fn taken(what: &str, target: &Target, ops: &Ops) -> bool {
    let fault = match what {
        "supervisor-panic" => Some(Fault::SupervisorPanic),
        "supervisor-stall" => Some(Fault::SupervisorStall),
        "session-panic" => target.session.as_deref().and_then(SessionId::parse).map(Fault::SessionPanic),
        "room-panic" => return room_fails(target, RoomFault::Panic),
        "room-stall" => {
            return room_fails(target, RoomFault::Stall(target.ms.map_or(FOR_A_WHILE, Duration::from_millis)));
        }
        _ => None,
    };
    fault.is_some_and(|fault| ops.faults.try_send(fault).is_ok())
}
