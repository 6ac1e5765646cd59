//! From a listening socket to whoever answers: the thread that accepts, the workers, and the reserve beyond the limits.
mod accept;
pub mod listeners;
mod reserve;
mod worker;
