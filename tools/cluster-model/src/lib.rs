//! Rooms that span nodes, played without a network: nodes with their replicas, Redis, clients that keep the protocol's books, and
//! every fault there is. The rules are those of the server (`switchboard::cluster`, its resume buffer); what is Redis is a model
//! of it.
//!
//! One seed is one history. While it runs, and once it is quiet, it is held against a naive model (`truth`): views converge, per
//! pair signals are in order and come once, each was delivered or somebody was told, caps hold, a session has one seat, every
//! join one leave. For each rule there is a [`Switch`] that breaks it; the tests show that each break is found.
mod client;
mod event;
mod figures;
mod history;
mod kernel;
mod moderation;
mod node;
mod redis;
mod run;
mod session;
mod switch;
mod truth;
mod world;

pub use self::{
    history::{Profile, Step, history},
    run::{Findings, run, shrink},
    switch::Switch,
    world::{World, play},
};
