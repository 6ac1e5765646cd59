//! Who may come in, and what they may do there. A token is verified once, by [`verify`]; what travels inside the server from
//! there on is the [`Grant`] that it holds. No actor and no clock: what depends on the time is told it.
//!
//! | file | what |
//! |---|---|
//! | `verify` | the order of the checks |
//! | `jws` | a token taken apart (RFC 7515), and its signature |
//! | `claims` | what it says (RFC 7519) and what of it is allowed |
//! | [`grant`] | what is left of it: rooms, permissions, time |
//! | `error` | why a token is refused |
//! | `keys` | the keys, by `kid` and algorithm |
//! | `files` | keys in files: secrets, PEM, JWKS |
//! | `key_ring` | the keys that are in force, shared by all threads |
//! | `record` | a grant on its way through a restart |
//! | [`tickets`] | grants that are kept here, each for one connection |
//! | [`issue`] | makes tokens, for the command line |
mod claims;
mod error;
mod files;
pub mod grant;
pub mod issue;
mod jws;
mod key_ring;
mod keys;
mod record;
#[cfg(test)]
mod tests;
pub mod tickets;
mod verify;

pub use error::TokenError;
pub use files::KeyFileError;
pub use grant::Grant;
pub use key_ring::KeyRing;
pub use keys::Keys;
pub use record::GrantRecord;
pub use tickets::{TicketDigest, TicketError, Tickets};
pub use verify::{Now, Policy, verify};
