//! How much of a session a busy thread reads in a round, told round by round.

use std::{cell::Cell, rc::Rc};

use serde_json::{Value, json};
use tokio::{task::yield_now, time::timeout};

use super::{
    gathered::{another, room},
    reading,
    takeovers::{Client, PATIENCE, Stage},
};
use crate::messages::{
    PeerChange, RoomEvent,
    session::{News, Roster, ToMember},
};

/// What a client has received of one kind.
struct Received(Rc<Cell<usize>>);

impl Received {
    /// Reads on until there are so many.
    fn by(mut client: Client, kind: &'static str, most: usize) -> Self {
        let count = Rc::new(Cell::new(0));
        let counted = Rc::clone(&count);
        actix_rt::spawn(async move {
            while counted.get() < most {
                if client.receive().await["type"] == kind {
                    counted.set(counted.get() + 1);
                }
            }
        });
        Self(count)
    }

    /// How many rounds it takes until there are so many.
    async fn rounds_until(&self, count: usize) -> usize {
        let mut rounds = 0;
        let look = async {
            while self.0.get() < count {
                if reading::somebody_waits() {
                    reading::begin_round();
                    rounds += 1;
                }
                yield_now().await;
            }
        };
        let looked = timeout(PATIENCE, look).await;
        assert!(looked.is_ok(), "{} of {count} after {rounds} rounds", self.0.get());
        rounds
    }
}

#[actix::test]
async fn what_was_read_before_the_thread_was_busy_needs_turns_too() {
    const PINGS: usize = 24;
    let mut stage = Stage::set(|settings| (settings.limits.frame_rate, settings.limits.frame_burst) = (50, 2));
    let (mut client, _member, _token) = stage.resumable().await;
    client.send_all(&vec![json!({"type": "ping"}); PINGS]).await;
    let pongs = Received::by(client, "pong", PINGS);
    assert_eq!(pongs.rounds_until(1).await, 0, "nobody has to wait");
    reading::become_busy();
    let rounds = pongs.rounds_until(PINGS).await;
    assert!(rounds >= 2, "{rounds} rounds");
    reading::become_idle();
}

#[actix::test]
async fn a_broadcast_is_more_of_a_turn_than_a_signal() {
    const FRAMES: usize = 8;
    let mut rounds = Vec::new();
    for (to, receivers) in [(None, 1), (Some("*"), 9)] {
        let mut stage = Stage::set(|_| ());
        let (mut client, member, _token) = stage.resumable().await;
        // They are reached as the sender is, so that its client receives what it sends.
        let others: Vec<_> = (0..9).map(|_| another(&member)).collect();
        let members: Vec<_> = others.iter().chain([&member]).collect();
        let joined = PeerChange::Joined { meta: None, who: None, user: None, replaces: None };
        let (snapshot, news) = (room(&stage, &members), News::Changed(RoomEvent::new(others[0].peer, joined)));
        member.post(ToMember::Roster(Roster { snapshot, news }));
        assert_eq!(client.receive().await["type"], "peer_joined");
        reading::become_busy();
        let to = to.map_or_else(|| others[0].peer.to_string(), str::to_owned);
        let signal: Value = json!({"type": "signal", "to": to, "kind": "app", "data": "x"});
        client.send_all(&vec![signal; FRAMES]).await;
        let signals = Received::by(client, "signal", FRAMES * receivers);
        rounds.push(signals.rounds_until(FRAMES * receivers).await);
        reading::become_idle();
    }
    assert!(rounds[0] >= 2 && rounds[1] >= 4 && rounds[1] > rounds[0], "{rounds:?} rounds");
}
