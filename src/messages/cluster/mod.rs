//! What passes between this process and the cluster that it is a node of. Nothing of it exists where it is none.
//!
//! | file | what |
//! |---|---|
//! | `port` | what is asked of the cluster, and what it says |
//! | `asks` | the order in which this node asks about one room, whichever thread does |
//! | `gathering` | signals of one turn: one to several peers of other nodes is one question |
//! | `far` | a peer of another node, as it is reached here |
mod asks;
mod far;
mod gathering;
mod port;

pub use self::{
    asks::{Behind, RoomAsks, WeakAsks},
    far::{FarInit, FarPort, Stay, ToFar, Unsent},
    gathering::{Account, Posted},
    port::{
        Ask, FarPeer, Flow, FlowState, Held, JoinTicket, Joining, NodePort, Profile, Receiving, RoomNow, Sending, Told,
    },
};
