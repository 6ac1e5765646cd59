//! The STUN and TURN servers that a client is told of, and the credentials that are made for it alone. No actor; time is an
//! argument. What a client gets is made in one place, [`IceServers::list_for`], for a `joined` as for an `ice_servers`.
//!
//! | file | what |
//! |---|---|
//! | `servers` | the list, as JSON: the same for all where nothing is made for a peer |
//! | `credentials` | a name and a password that end by themselves |
//! | `secret_files` | the secrets that they are made of, in force for all threads |
mod credentials;
mod secret_files;
mod servers;

pub use secret_files::SecretFileError;
pub use servers::{IceList, IceServers, Recipient};
