//! What may happen in a history, and how one is read from any numbers.

pub(super) const CLIENTS: usize = 4;
pub(super) const NAMES: usize = 2;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The client asks to join the room of that name, if it is in none; in the place of whoever is the same person and
    /// connected, too, or only of who is away.
    Join(usize, usize, bool),
    /// The client says `leave`, if it is in a room.
    Leave(usize),
    /// The session has waited long enough: for its welcome, for the whole room, or for its client.
    GiveUp(usize),
    /// The client is gone; another takes its place.
    HangUp(usize),
    /// The client's socket is lost while it is in a room; its seat is kept.
    Park(usize),
    /// It asks to come back, whether its former socket is found to be lost or not.
    Resume(usize),
    /// The session handles its oldest message.
    RunSession(usize),
    /// The client sends a signal to everybody in its room.
    Signal(usize),
    /// The supervisor handles its oldest message.
    RunSupervisor,
    /// One of the rooms handles its oldest message.
    RunRoom(usize),
    /// The room of that name dies.
    Kill(usize),
    /// The supervisor looks for rooms that are dead.
    Sweep,
    /// The client's session is sent out of its room by an operator, and kept out for a while or not.
    Kick(usize, bool),
    /// The room of that name is locked, or unlocked.
    Lock(usize, bool),
    /// A part of the time passes for which a ban holds.
    Wait,
    /// Every message arrives, so that what follows begins with clients in their rooms.
    Settle,
}

impl Step {
    /// A step for any two numbers.
    #[must_use]
    pub fn read(kind: u8, other: u8) -> Self {
        let (client, other) = (usize::from(other) % CLIENTS, usize::from(other) / CLIENTS);
        match kind % 100 {
            0..=13 => Self::Join(client, other % NAMES, (other / NAMES).is_multiple_of(4)),
            14..=16 => Self::Leave(client),
            17..=18 => Self::GiveUp(client),
            19..=20 => Self::HangUp(client),
            21..=23 => Self::Kick(client, other.is_multiple_of(2)),
            24..=30 => Self::Park(client),
            31..=37 => Self::Resume(client),
            38..=53 => Self::RunSession(client),
            54..=60 => Self::Signal(client),
            61 => Self::Lock(other % NAMES, (other / NAMES).is_multiple_of(2)),
            62 => Self::Wait,
            63..=76 => Self::RunSupervisor,
            77..=90 => Self::RunRoom(other),
            91..=92 => Self::Kill(other % NAMES),
            93..=95 => Self::Sweep,
            _ => Self::Settle,
        }
    }
}
