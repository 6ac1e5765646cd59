//! What peers do while there is chaos, and what is done to them.

use std::{num::NonZeroU32, time::Duration};

use serde_json::{Value, json};
use switchboard_chaos::{Direction, Ending};
use tokio::time::Instant;

use crate::{
    connection::{Came, Connection, Gone, PATIENCE},
    membership::Membership,
    peer::{Fate, Peer, look},
};

/// Messages of a burst: with several at once, more than may wait for a slow reader.
const BURST: usize = 40;

impl Peer {
    /// Does something. Without a connection afterwards, the peer has hung up.
    pub(crate) async fn act(&mut self, connection: &mut Option<Connection>) -> Result<(), Gone> {
        if let Some(fate) = self.fate.filter(|(at, _)| *at <= Instant::now()) {
            return self.meet_fate(connection, fate.1);
        }
        let Some(open) = connection.as_mut() else { return Ok(()) };
        match self.dice.u8(..100) {
            0..35 => self.send_to_some(open, 1).await,
            35..42 => self.send_to_some(open, 3).await,
            42..62 => self.broadcast(open).await,
            62..70 => {
                let update = look(&self.slot)
                    .membership
                    .as_mut()
                    .filter(|membership| !membership.leaving)
                    .map(Membership::update);
                self.send_all(open, update).await
            }
            70..77 => self.ping(open).await,
            77..80 => self.burst(open).await,
            80..83 => {
                let leave = look(&self.slot)
                    .membership
                    .as_mut()
                    .filter(|membership| !membership.leaving)
                    .map(Membership::leave);
                self.send_all(open, leave).await
            }
            83..85 => self.take_over(connection).await,
            85..88 => self.hang_up(connection.take()).await,
            88..90 => {
                let quiet = self.some_of(self.world.window * 3 / 2);
                self.rest(quiet).await;
                Ok(())
            }
            _ => {
                self.hurt(open);
                Ok(())
            }
        }
    }

    async fn send_all(
        &mut self,
        connection: &mut Connection,
        frames: impl IntoIterator<Item = Value>,
    ) -> Result<(), Gone> {
        for frame in frames {
            self.send(connection, frame).await?;
        }
        Ok(())
    }

    /// A message to so many at once.
    async fn send_to_some(&mut self, connection: &mut Connection, most: usize) -> Result<(), Gone> {
        let padding = self.dice.usize(..1_500);
        let frame = {
            let mut slot = look(&self.slot);
            let Some(membership) =
                slot.membership.as_mut().filter(|membership| !membership.leaving && !membership.view.is_empty())
            else {
                return Ok(());
            };
            let others: Vec<(&str, u64)> =
                membership.view.iter().map(|(id, seen)| (id.as_str(), seen.join_seq)).collect();
            let to = self.dice.choose_multiple(others, most);
            let data = membership.numbering.for_some(membership.join_seq, to.iter().copied(), padding);
            let mut names: Vec<&str> = to.iter().map(|(id, _)| *id).collect();
            // Somebody who never was.
            if most > 1 && self.dice.bool() {
                names.push("0123456789abcdef0123456789abcdef");
            }
            if names.len() == 1 {
                json!({"type": "signal", "to": names[0], "kind": "app", "data": data})
            } else {
                json!({"type": "signal", "to": names, "kind": "candidate", "data": data})
            }
        };
        self.world.count("messages to some");
        self.send(connection, frame).await
    }

    async fn broadcast(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        let padding = self.dice.usize(..1_500);
        let frame = {
            let mut slot = look(&self.slot);
            let Some(membership) = slot.membership.as_mut().filter(|membership| !membership.leaving) else {
                return Ok(());
            };
            let data = membership.numbering.for_all(
                membership.join_seq,
                membership.view.values().map(|seen| seen.join_seq),
                padding,
            );
            json!({"type": "signal", "to": "*", "kind": "offer", "data": data})
        };
        self.world.count("messages to all");
        self.send(connection, frame).await
    }

    async fn burst(&mut self, connection: &mut Connection) -> Result<(), Gone> {
        for _ in 0..BURST {
            self.broadcast(connection).await?;
        }
        Ok(())
    }

    /// Comes back on another connection while this one is still there, as a phone does that changes its network.
    async fn take_over(&mut self, connection: &mut Option<Connection>) -> Result<(), Gone> {
        let can = look(&self.slot)
            .membership
            .as_ref()
            .is_some_and(|membership| membership.token.is_some() && !membership.leaving);
        let healthy = !self.hurt
            && look(&self.slot).membership.as_ref().is_some_and(|membership| membership.confirmed && !membership.murky);
        if !can {
            return Ok(());
        }
        let mut new = Connection::open(&self.world).await?;
        self.world.count("connections");
        let former = look(&self.slot).membership.as_ref().map(|membership| membership.join_seq);
        if !self.enter(&mut new).await {
            return Err(Gone);
        }
        let resumed = look(&self.slot).membership.as_ref().map(|membership| membership.join_seq) == former;
        let Some(mut old) = connection.replace(new) else { return Ok(()) };
        self.fate = None;
        self.hurt = false;
        if healthy && resumed {
            self.was_told_so(&mut old).await?;
        }
        Ok(())
    }

    /// The replaced connection hears that it was replaced, unless it was lost before.
    async fn was_told_so(&mut self, old: &mut Connection) -> Result<(), Gone> {
        let until = Instant::now() + PATIENCE;
        loop {
            match old.receive(until).await {
                Ok(Came::Close(4500)) => {
                    self.world.count("sessions taken over");
                    return Ok(());
                }
                Ok(Came::Frame(_)) => {}
                Ok(Came::Close(4001)) | Err(Gone) => return Ok(()),
                Ok(Came::Close(code)) => return Err(self.fail(&format!("a replaced connection is closed with {code}"))),
                Ok(Came::Nothing) => return Err(self.fail("a replaced connection is not told so")),
            }
        }
    }

    async fn hang_up(&mut self, connection: Option<Connection>) -> Result<(), Gone> {
        let Some(connection) = connection else { return Err(Gone) };
        match self.dice.u8(..4) {
            0 => connection.close(4321).await,
            1 => {
                connection.close(1000).await;
                look(&self.slot).membership = None;
            }
            _ => drop(connection),
        }
        self.world.count("hang-ups");
        Err(Gone)
    }

    /// Something happens to the network.
    fn hurt(&mut self, connection: &Connection) {
        self.hurt = true;
        let direction = if self.dice.bool() { Direction::Up } else { Direction::Down };
        let ending = if self.dice.bool() { Ending::Fin } else { Ending::Reset };
        match self.dice.u8(..10) {
            0..2 => {
                self.world.count("resets");
                connection.line.end(Ending::Reset);
            }
            2..5 => {
                self.world.count("cuts");
                connection.line.cut_after(direction, self.dice.u64(1..4_000), ending);
            }
            5..8 => self.stall(connection, direction),
            8 => {
                self.world.count("delays");
                let delay = self.some_of(Duration::from_millis(400));
                connection.line.change(direction, |faults| faults.delay = delay);
            }
            _ => {
                self.world.count("slow lines");
                let rate = NonZeroU32::new(self.dice.u32(2_000..40_000));
                connection.line.change(direction, |faults| faults.rate = rate);
            }
        }
    }

    fn stall(&mut self, connection: &Connection, direction: Direction) {
        self.world.count("stalls");
        if self.dice.bool() {
            connection.line.stall();
        } else {
            connection.line.change(direction, |faults| faults.stalled = true);
        }
        let fate = [Fate::Heals, Fate::Heals, Fate::Dropped, Fate::Reset][self.dice.usize(..4)];
        let after = self.some_of(self.world.window * 3 / 2);
        self.fate = Some((Instant::now() + after, fate));
    }

    fn meet_fate(&mut self, connection: &mut Option<Connection>, fate: Fate) -> Result<(), Gone> {
        let Some(open) = connection.as_mut() else { return Err(Gone) };
        match fate {
            Fate::Heals => {
                self.heal(open);
                Ok(())
            }
            Fate::Reset => {
                open.line.end(Ending::Reset);
                Err(Gone)
            }
            Fate::Dropped => {
                *connection = None;
                Err(Gone)
            }
        }
    }

    /// Now and then a connection is to be lost in the middle of `joined`, or of what follows it.
    pub(crate) fn maybe_hurt_join(&mut self, connection: &Connection) {
        let chaos = *self.phase.borrow() == crate::world::Phase::Chaos;
        if chaos && self.dice.u8(..8) == 0 {
            self.hurt = true;
            self.world.count("cuts around a join");
            let direction = if self.dice.u8(..4) == 0 { Direction::Up } else { Direction::Down };
            let ending = if self.dice.bool() { Ending::Fin } else { Ending::Reset };
            connection.line.cut_after(direction, self.dice.u64(1..3_000), ending);
        }
    }
}
