//! Floods that keep every thread busy.

use std::time::Duration;

use serde_json::json;

use crate::{
    memory::{Pourer, connect, connections, pour_for},
    stage::{self, Stage, from_addresses, scaled, server},
    support::ws::{first, frame},
};

/// No room has more.
const ROOM: usize = 10;

fn text(json: &serde_json::Value) -> Vec<u8> {
    frame(first::TEXT, json.to_string().as_bytes())
}

/// What all others are held against: no load at all, for as long as a flood goes on.
#[test]
fn nothing() {
    let time = scaled(Duration::ZERO, Duration::from_secs(10));
    let mut stage = Stage::set("nothing", 0, server());
    stage.during(|_, _| std::thread::sleep(time));
    stage.ends(0);
}

/// One room, and far more who want to be in it.
#[test]
fn joins_and_leaves_for_ever() {
    let (count, time) = scaled((60, Duration::from_secs(3)), (2000, Duration::from_secs(15)));
    from_addresses(|addresses| {
        let server = server().set("limits.handshake_burst", 20_000);
        let mut stage = Stage::set("joins_and_leaves_for_ever", addresses, server);
        stage.during(|public, _| {
            let join = text(&json!({"type": "join", "room": "for ever"}));
            let round = [join, text(&json!({"type": "leave"}))].concat().repeat(16);
            let mut flooders: Vec<_> = connections(count, addresses, public).into_iter().map(Pourer::new).collect();
            pour_for(time, &mut flooders, &round, |_| true);
        });
        stage.counted("switchboard_joins_total", "", 1.0);
        stage.ends(64 * count as u64);
    });
}

#[test]
fn broadcasts_as_fast_as_they_go() {
    let (count, time) = scaled((100, Duration::from_secs(3)), (10_000, Duration::from_secs(15)));
    from_addresses(|addresses| {
        let server = server().set("limits.handshake_burst", 20_000);
        let mut stage = Stage::set("broadcasts_as_fast_as_they_go", addresses, server);
        stage.during(|public, _| {
            let join = |number: usize| text(&json!({"type": "join", "room": format!("flood-{}", number / ROOM)}));
            let of = |number| connect(stage::flooder(number / ROOM, addresses), public);
            let mut flooders: Vec<_> = (0..count).filter_map(|number| Some((number, of(number)?))).collect();
            for (number, flooder) in &mut flooders {
                use std::io::Write;
                let _ = flooder.write_all(&join(*number));
            }
            let mut flooders: Vec<_> = flooders.into_iter().map(|(_, flooder)| Pourer::new(flooder)).collect();
            let broadcast = text(&json!({"type": "signal", "to": "*", "kind": "app", "data": "x".repeat(100)}));
            let broadcast = broadcast.repeat(32);
            pour_for(time, &mut flooders, &broadcast, |_| true);
        });
        stage.counted("switchboard_relays_total", "", 1000.0);
        stage.ends(64 * count as u64);
    });
}
