//! How much one connection and one address may ask for. Pure rules: time is passed in, nothing here waits.
//!
//! | file | what |
//! |---|---|
//! | [`bucket`] | the token bucket that every rate here is counted with |
//! | [`bytes`] | what connections and addresses send in bytes |
//! | [`subnet`] | an address as the limits count it, and the networks that it is in |
//! | [`table`] | what is remembered of addresses and networks, with a bound |
//! | [`forwarded`] | who asks, when a proxy asks on somebody's behalf |
//! | [`hops`] | what proxies write into the header that is believed |
//! | [`addresses`] | what each address has used up: handshakes, requests, connections |
//! | [`uncharged`] | what a connection has read and its address is not charged with yet |
//! | [`waiting`] | the connections that are in no room |
//!
//! A bucket of our own and not `governor`: it is forty lines, a connection's costs 16 bytes and a few nanoseconds
//! without atomics, and an address's stands in one entry with its count of connections, in a map that has a bound.
pub mod addresses;
pub mod bucket;
pub mod bytes;
pub mod forwarded;
pub mod hops;
#[cfg(test)]
mod properties;
pub mod subnet;
pub mod table;
pub mod uncharged;
pub mod waiting;

pub use addresses::{AddressPermit, Addresses, Quotas};
pub use bucket::{Bucket, Rate};
pub use bytes::ByteRate;
pub use forwarded::{By, ClientAddr, resolve_client};
pub use subnet::Subnet;
pub use table::{Counted, Table};
pub use uncharged::Uncharged;
pub use waiting::{Waiting, WaitingPlace};
