//! A seat, as the supervisor keeps one for each peer in a room.

use std::{sync::Arc, time::Instant};

use super::parked::Turn;
use crate::{limits::Subnet, moment::Moment, protocol::RoomName};

/// A peer's counted place in a room.
#[derive(Debug)]
pub(super) struct Seat<M> {
    pub(super) room: RoomName,
    pub(super) member: M,
    pub(super) since: Moment,
    pub(super) subnet: Option<Subnet>,
    /// Boxed, since few have one.
    pub(super) user: Option<Box<User>>,
    pub(super) occupied: Occupied,
}

/// Every idle connection has one, in a class of the allocator's.
const _: () = assert!(size_of::<Seat<super::seated::Seated>>() <= 80);

/// The user that a token names.
#[derive(Debug)]
pub(super) struct User(pub(super) Arc<str>);

impl<M> Seat<M> {
    pub(super) fn new(
        room: RoomName,
        member: M,
        subnet: Option<Subnet>,
        user: Option<Arc<str>>,
        since: Instant,
    ) -> Self {
        let user = user.map(|user| Box::new(User(user)));
        Self { room, member, since: since.into(), subnet, user, occupied: Occupied::Here }
    }

    pub(super) fn since(&self) -> Instant {
        self.since.instant()
    }

    pub(super) fn user(&self) -> Option<&Arc<str>> {
        self.user.as_ref().map(|user| &user.0)
    }
}

/// Whether somebody is connected on a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupied {
    /// Yes, as far as is known here.
    Here,
    /// The client is away.
    Away(Turn),
    /// It is away since a restart, as everybody is then; whether anybody knows is as before.
    Reserved { is_known: bool },
    /// The client is away, and its session was asked to end. It is not counted any more; it may come back all the same, if
    /// that was under way.
    Going,
}
