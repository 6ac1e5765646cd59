//! What can be broken: for each rule a switch that turns it back into what a first draft of the design said, or into the plain
//! reading of it.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A rule that is broken. None of these is in the server: the model goes around the rule, or lies to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Switch {
    /// A session sends to a mailbox again as soon as the peer is on its node, whatever of its own is in the log.
    DrainBeforeLocal,
    /// A session is released at once: nobody is asked to route it by the log first.
    FlushBeforeRelease,
    /// A broadcast's entry says "all but those of my node" instead of who was served.
    NameTheServed,
    /// A broadcast reaches whoever is there when it is applied.
    OnlyWhoWasSeen,
    /// Commands of unknown outcome fail; none is repeated under its number.
    NumberCommands,
    /// Only holes are noticed: nobody compares heads after a subscription or with a heartbeat.
    CheckTheTail,
    /// Numbers go on when a room ends and begins anew, or when the data is lost.
    RoomLives,
    /// An entry does not name the one before it.
    ChainEntries,
    /// A node whose members were reaped while it stood still joins them anew under the same names.
    LeftIsFinal,
    /// Whoever sees a lease that is older than it may be reaps at once.
    PatientReaper,
    /// After a loss of data everything goes on at once.
    AssertPeriod,
    /// Who claims a record takes it as it was cut.
    ReplayTheStream,
    /// A gap is told by an unasked `joined` on the open connection.
    CutOnGap,
    /// A node looks for dead seats only in rooms that it has a replica of.
    SweepAllRooms,
    /// Commands and signals count whoever owns the session.
    Fence,
    /// Others hear of every move that a peer is away.
    QuietMoves,
    /// A signal that waits fails after a time, whatever has become of its sender.
    NobodyToTell,
    /// After a loss of data each node goes on from a snapshot of its own.
    SettleInTheLog,
    /// On a new connection everything goes out at once.
    CheckBeforeWriting,
    /// Who was reaped asserts its seats after a loss of data.
    ReapedIsRemembered,
    /// A seat whose owner knows no such session stays.
    GiveBackStrays,
    /// Who left in what was lost is there again, where the data that are left have its session in the store.
    LeftIsRemembered,
    /// After a loss of data nobody is told that something was missed.
    TellTheMissed,
}
