//! The rules by which rooms span nodes: no runtime, no clock, no Redis client. Time is an argument, what has to be done comes
//! back as a value.
//!
//! A room's members may be connected to different nodes. What happens in it is one ordered log, in Redis; each node keeps a
//! [`Replica`] of the rooms that its sessions are in, and all that clients see follows from the entries in their order.
//! A signal between two members of one node stays on it, as long as that keeps the order ([`Routes`]).
//!
//! | file | rule |
//! |---|---|
//! | `names` | a node, and one life of its process |
//! | `seats` | who is in a room |
//! | `changes` | what an entry changes |
//! | `entry` | what the log says, and where it stands |
//! | `replica` | apply, ask for what is missing, or notice that the log was forked |
//! | `routes` | which way a signal goes, and who it is for |
//! | `release` | in which order a session is given away |
//! | `claim` | what a session that was claimed has missed |
//! | `line` | the one ordered line of commands of a node: what is repeated, held, failed |
//! | `lease` | when a node counts as dead |
//! | `generation` | what is asserted after a loss of data, and who has missed something by it |
//! | `strays` | seats that name this node, which has no such session |
//! | `moderation` | bans and locks, and what becomes of them after a loss of data |
//!
//! They are played by `tools/cluster-model`: nodes, a Redis, clients and every fault there is, over random histories, against a
//! naive model. For each rule there is a switch that breaks it, and a test that shows that the break is found.
pub mod changes;
pub mod claim;
pub mod entry;
pub mod generation;
pub mod lease;
pub mod line;
pub mod moderation;
pub mod names;
pub mod release;
pub mod replica;
pub mod routes;
pub mod seats;
pub mod strays;

pub use self::{
    entry::{Change, Entry, Head, Signal, To},
    line::Line,
    names::{Incarnation, NodeName},
    replica::Replica,
    routes::Routes,
    seats::{News, Seat, Seats},
};
