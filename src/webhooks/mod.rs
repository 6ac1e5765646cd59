//! Webhooks: a program of the operator's is told what happens in rooms, by HTTP requests that are signed.
//!
//! - **Owns** the events that wait for the receiver, and the threads that deliver them.
//! - **Receives** events from the supervisor, which is the authority on seats and has them all in one order.
//! - **Sends** each to the receiver, those of one room one after the other; and tells the next that arrives how many were dropped.
//! - **Never** makes anybody wait: an event that does not fit is dropped and counted. It knows no metadata, identity, address,
//!   token or signal, so it can tell none.
//!
//! | file | what |
//! |---|---|
//! | `event.rs` | what is told, and its JSON |
//! | `signature.rs` | the secret, and what proves where an event is from |
//! | `account.rs` | how much waits, and how many were dropped |
//! | `queue.rs` | the rules: order, attempts, waits. No thread, no clock |
//! | `attempt.rs` | one request, and what its answer means |
//! | `dispatcher.rs` | the threads around the rules |
//! | `report.rs` | what is logged and counted about it |
//! | `sender.rs` | the supervisor's end, and the shutdown's |

mod account;
mod attempt;
mod dispatcher;
mod event;
mod queue;
mod report;
mod sender;
mod signature;

pub use event::{Person, RoomEnd};
pub use sender::{Ending, WebhookError, Webhooks};
