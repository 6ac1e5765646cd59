//! The health of a room's mesh: who reaches which peer, as the clients report it.
//!
//! | file | what |
//! |---|---|
//! | [`health`] | the rules of one room. No actix, no clock |
//! | [`shares`] | in how many rooms an address counts for what alerts see. No actix, no clock |
//! | [`watch`] | the rooms of one arbiter of which somebody reports, looked at by its tick |
pub mod health;
#[cfg(test)]
mod properties;
pub mod shares;
pub mod watch;
