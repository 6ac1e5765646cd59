//! What Redis answers.

use super::{Node, Outcome};
use crate::{
    cluster::{
        Head,
        line::{Class, Command as _},
    },
    nodes::{
        command::{Command, Kind},
        wire::Reply,
    },
    protocol::RoomName,
};

use super::told::{join_error, unavailable};

impl Node {
    /// The answer to the command of that number is here.
    pub(in crate::nodes) fn answered(&mut self, number: u64, outcome: Outcome, now: u64) {
        let Some(command) = self.line.get(number) else { return };
        let is_change = command.class() == Class::Change;
        let reply = match outcome {
            Outcome::Reply(reply) => *reply,
            Outcome::Malformed | Outcome::Failed => {
                self.counted.malformed += 1;
                // What followed it was refused, since it is missing.
                self.wants_reconnect |= matches!(outcome, Outcome::Failed) && is_change;
                return self.failed(number, now);
            }
        };
        match reply {
            Reply::Generation(generation, left) => return self.other_generation(generation, left, number, now),
            Reply::Order | Reply::Format(_) => {
                self.wants_reconnect = true;
                return;
            }
            _ => {}
        }
        let Some(command) = self.line.answered(number) else { return };
        self.then(command, Some(reply), now);
    }

    /// A command is given up: it makes no sense to repeat it.
    fn failed(&mut self, number: u64, now: u64) {
        let Some(command) = self.line.answered(number) else { return };
        if let (Kind::Check(_), Some(room)) = (&command.kind, &command.room) {
            // Something in the log makes no sense: the room as it is now takes its place.
            let fresh = Command { room: Some(room.clone()), kind: Kind::Fresh, born: command.born, since: now };
            let _ = self.line.push(fresh);
            return;
        }
        self.then(command, None, now);
    }

    /// A command is done; none: it has failed.
    pub(super) fn then(&mut self, command: Command, reply: Option<Reply>, now: u64) {
        let Command { room, kind, born, .. } = &command;
        match (kind, room) {
            (Kind::Join(join), Some(room)) => {
                let (peer, version) = (join.peer, join.seat.version);
                let room = room.clone();
                self.join_answered(&room, peer, version, reply, now);
            }
            (Kind::Signal(_), Some(room)) => match reply {
                Some(Reply::Sent(life, n)) => {
                    if let Some(room) = self.rooms.get_mut(room) {
                        room.replica.heard_of(life, n);
                    }
                }
                // It was repeated.
                Some(Reply::Done) => {}
                _ => self.unreached(command),
            },
            (Kind::Check(_) | Kind::Fresh, Some(room)) => {
                let answer = match reply {
                    Some(Reply::Check(answer)) => Some(answer),
                    Some(Reply::Gone) => Some(crate::cluster::replica::Answer::Gone),
                    _ => None,
                };
                self.check_answered(room, *born, answer, now);
            }
            (Kind::Heads(rooms), _) => {
                let Some(Reply::Differ(differ)) = reply else { return };
                for (at, (room, asked)) in rooms.iter().enumerate() {
                    match differ.iter().find(|(index, _)| *index == at) {
                        Some((_, head)) if !self.has_come_to(room, asked.applied, *head) => self.check(room, now),
                        _ => drop(self.unchecked.remove(room)),
                    }
                }
            }
            (Kind::Settled(generation), Some(room)) => self.settle_answered(room, *generation, reply, now),
            (Kind::Mine, Some(room)) => {
                if let Some(Reply::Mine(peers)) = reply {
                    self.give_back_strays(room, peers, now);
                }
            }
            (Kind::Owned(owner), _) => {
                if let Some(Reply::Owned(rooms)) = reply {
                    self.owned_answered(owner, rooms, now);
                }
            }
            (Kind::Beat, _) => self.beat_answered(reply, now),
            _ => {}
        }
    }

    /// Whether nothing is missing of a room that was at `asked` here when it was at `head` in Redis: what was published until then
    /// has been applied, since it comes on the same connection, before the answer. What has gone on since then has gone on from there.
    fn has_come_to(&self, room: &RoomName, asked: Head, head: Head) -> bool {
        self.rooms.get(room).is_some_and(|room| {
            let here = room.replica.head();
            here == head || (here.life == head.life && here.n > head.n && here != asked)
        })
    }

    fn join_answered(
        &mut self,
        name: &RoomName,
        peer: crate::protocol::PeerId,
        version: u64,
        reply: Option<Reply>,
        now: u64,
    ) {
        let waits = |node: &Self| {
            let own = node.rooms.get(name).and_then(|room| room.own.get(&peer));
            own.and_then(|own| own.joining).is_some_and(|pending| pending.version == version)
        };
        let error = match reply {
            Some(Reply::Joined(snapshot)) => {
                if let Some(snapshot) = snapshot {
                    self.begin_replica(name, &snapshot, now);
                }
                return;
            }
            Some(Reply::Refused(refused)) => join_error(refused),
            _ => unavailable(self.config.timing.beat),
        };
        if waits(self) {
            self.refuse(name, peer, error);
            self.forget_unused(name, now);
        }
    }
}
