//! A STUN responder of our own (RFC 8489): who asks it by UDP hears by which address and port the internet sees them. That is
//! what two peers behind ordinary NATs need to find each other, and all that this server has to do for it.
//!
//! | file | what |
//! |---|---|
//! | [`message`] | one datagram in, its answer or the reason for none out: rules alone |
//! | [`gate`] | which requests are answered: limits for each address and for all |
//! | [`excess`] | what the limit for all has left unanswered, and when that is told |
//! | [`sources`] | whether those who ask can come from the internet at all |
//! | [`socket`] | UDP that answers from the address that was asked |
//! | [`responder`] | the thread around them |
//! | [`ask`] | the other side: a Binding request, and what it is answered with |
//!
//! It knows no rooms, keeps nothing of anybody but the buckets of the limits, and tells nothing of itself.
pub mod ask;
mod excess;
mod gate;
pub mod message;
mod responder;
mod socket;
mod sources;

pub use responder::{Responder, Telling};
