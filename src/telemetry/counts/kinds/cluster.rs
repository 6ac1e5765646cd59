//! What is counted of the cluster, and of its Redis.

use crate::telemetry::counts::labels::label_set;

label_set! {
    /// What Redis was asked.
    RedisOperation {
        /// To publish a room's entries to this node.
        Subscribe = "subscribe",
        /// No more.
        Unsubscribe = "unsubscribe",
        /// For a seat.
        Join = "join",
        /// To end a seat.
        Leave = "leave",
        /// To say that a peer is away.
        Away = "away",
        /// To say that it is back.
        Back = "back",
        /// To say what the others are to know of a peer.
        Update = "update",
        /// To lock a room, or open it.
        Lock = "lock",
        /// To ban somebody.
        Ban = "ban",
        /// To send peers away.
        Kick = "kick",
        /// To take a signal.
        Signal = "signal",
        /// To tell another node how it stands with what its peer sends.
        Flow = "flow",
        /// What was missed of a room.
        Check = "check",
        /// How a room is, because something in its log makes no sense.
        Fresh = "fresh",
        /// Which rooms have come further.
        Heads = "heads",
        /// Which seats of a room are this node's.
        Mine = "mine",
        /// In which rooms a node has seats.
        Owned = "owned",
        /// How a room is after a loss of data.
        Settled = "settled",
        /// To begin anew, since the data went back in time.
        Fork = "fork",
        /// To take what this node has, after a loss of data.
        Assert = "assert",
        /// To count a heartbeat.
        Beat = "beat",
        /// To end the seats of a node that is dead.
        Reap = "reap",
    }
}

label_set! {
    /// What became of a command.
    RedisStatus {
        /// It was answered.
        Ok = "ok",
        /// Redis would not: no memory, read only, loading. It is repeated.
        Refused = "refused",
        /// It ended with an error, or its answer makes no sense. It is not repeated.
        Failed = "failed",
        /// The connection was lost, or given up because an answer took longer than `cluster.redis_timeout_ms`. What changes a room is repeated.
        Lost = "lost",
    }
}

label_set! {
    /// What became of a connection.
    RedisConnection {
        /// It was made.
        Made = "made",
        /// It could not be made.
        Failed = "failed",
        /// It was lost, or given up.
        Lost = "lost",
    }
}

label_set! {
    /// Why a room was taken anew from Redis, whose peers here may have missed something.
    Resync {
        /// What was missed is not kept any more.
        Trimmed = "trimmed",
        /// The room has ended meanwhile, and another one of its name began.
        Life = "life",
        /// There is no such room any more.
        Empty = "empty",
        /// After a loss of data others knew more, or who was there is gone.
        Generation = "generation",
    }
}
