//! Whether the STUN and TURN servers work that clients are told of. A client that finds none has nobody to tell; so the server
//! asks them itself, again and again: a STUN server for its own address, a TURN server for an allocation with credentials as a
//! client would get them. Over TLS each has to prove who it is, as it has to towards a browser.
//!
//! | file | what |
//! |---|---|
//! | `target` | the servers of a list, each with its protocol |
//! | `failure` | why one does not work, as cause and as label |
//! | `resolver` | names to addresses, in the time that there is for it |
//! | `secure` | TLS on a stream, and who may vouch for a server |
//! | `link` | datagrams, a stream, or one with TLS |
//! | `binding` | one Binding request over a stream |
//! | `turn` | one allocation |
//! | `check` | one check, from the name to the answer |
//! | `checker` | the thread, what changed between two rounds, and who is told |
//!
//! Nothing depends on it: whether a check fails, clients are told of the server, and this one is as alive and ready as before.
mod binding;
mod check;
mod checker;
mod failure;
mod link;
mod resolver;
mod secure;
mod target;
mod turn;

pub use checker::{IceChecks, IceHealth};
