//! `POST /fault/{what}` on the ops listener, in test builds only.

use std::{thread, time::Duration};

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use crate::messages::faults::{run_in, run_on_worker};

/// Longer than any patience: for ever, as far as a test can see.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// Shorter than the watch's patience, and long enough for a test on a busy machine.
const FOR_A_WHILE: Duration = Duration::from_secs(2);

/// The room or peer that it concerns.
#[derive(Deserialize)]
pub(in crate::http) struct Target {
    room: Option<String>,
    session: Option<String>,
    /// For how long, where it ends by itself; in milliseconds.
    ms: Option<u64>,
}

/// 202, or 404 where there is no such fault.
pub(in crate::http) async fn inject(what: web::Path<String>, target: web::Query<Target>) -> HttpResponse {
    if is_taken(&what, &target) { HttpResponse::Accepted().finish() } else { HttpResponse::NotFound().finish() }
}

fn is_taken(what: &str, target: &Target) -> bool {
    let (room, session) = (target.room.as_deref().unwrap_or_default(), target.session.as_deref().unwrap_or_default());
    match what {
        "supervisor-panic" => run_in("supervisor", panic),
        "supervisor-stall" => run_in("supervisor", || thread::sleep(FOR_EVER)),
        "session-panic" => run_in(&format!("session {session}"), panic),
        "room-panic" => run_in(&format!("room {room}"), panic),
        "room-stall" => {
            let time = target.ms.map_or(FOR_A_WHILE, Duration::from_millis);
            run_in(&format!("room {room}"), move || thread::sleep(time))
        }
        "worker-stall" => run_on_worker(|| thread::sleep(FOR_EVER)),
        _ => false,
    }
}

fn panic() {
    panic!("a fault was injected");
}
