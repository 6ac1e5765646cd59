//! What may happen in a history, and how one is read from any numbers.

pub(super) const CLIENTS: usize = 4;
pub(super) const NAMES: usize = 2;

/// What may happen.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// The client asks to join the room of that name, if it is in none.
    Join(usize, usize),
    /// The client says `leave`, if it is in a room.
    Leave(usize),
    /// The session has waited long enough: for its welcome, for the whole room, or for its client.
    GiveUp(usize),
    /// The client is gone; another takes its place.
    HangUp(usize),
    /// The client's socket is lost while it is in a room; its seat is kept.
    Park(usize),
    /// It comes back, whether its former socket is found to be lost or not.
    Resume(usize),
    /// The session handles its oldest message.
    RunSession(usize),
    /// The client sends a signal to everybody in its room.
    Signal(usize),
    RunSupervisor,
    /// One of the rooms handles its oldest message.
    RunRoom(usize),
    /// The room of that name dies.
    Kill(usize),
    Sweep,
}

impl Step {
    /// A step for any two numbers.
    #[must_use]
    pub fn read(kind: u8, other: u8) -> Self {
        let (client, other) = (usize::from(other) % CLIENTS, usize::from(other) / CLIENTS);
        match kind % 100 {
            0..=17 => Self::Join(client, other % NAMES),
            18..=23 => Self::Leave(client),
            24..=26 => Self::GiveUp(client),
            27..=29 => Self::HangUp(client),
            30..=36 => Self::Park(client),
            37..=42 => Self::Resume(client),
            43..=57 => Self::RunSession(client),
            58..=61 => Self::Signal(client),
            62..=79 => Self::RunSupervisor,
            80..=94 => Self::RunRoom(other),
            95..=97 => Self::Kill(other % NAMES),
            _ => Self::Sweep,
        }
    }
}
