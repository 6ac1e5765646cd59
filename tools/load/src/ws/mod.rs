//! RFC 6455 by hand: the handshake, frame heads, the mask. Shared by the generator and the baseline.

pub mod frame;
pub mod handshake;
pub mod mask;
