//! One socket that speaks HTTP: what a proxy says of it, its TLS handshake, its head, its one request, its place in the counts, and answers without the library.
pub(super) mod head;
pub(super) mod heads;
pub(super) mod plain;
pub(super) mod proxy_protocol;
pub(super) mod secure;
pub(super) mod silent;
pub(super) mod single_request;
pub mod sockets;
