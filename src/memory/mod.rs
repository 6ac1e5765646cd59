//! One account of what is held on behalf of clients, and what is done when the budget for it (`limits.memory_bytes`) is
//! nearly used.
//!
//! The account is no sum kept by hand: it is the allocator's own figure and the kernel's for TCP, less what both were at the
//! start. Shared frames are in it once, and the relay path pays nothing for it. A thread of its own looks at it and publishes
//! the [`Pressure`]; whoever can relieve it waits for that, or asks.
mod account;
mod governor;
mod heap;
mod held;
mod intake;
mod ladder;
mod pressure;
mod relief;

pub use governor::{Governor, start};
pub use held::{HeldBytes, Outside};
pub use intake::{Intake, LEAST_INTAKE};
pub use pressure::{Pressure, Relief};
pub use relief::{Contribution, LITTLE, LITTLE_HEAD, Totals, largest};
