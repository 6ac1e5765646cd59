//! This process as one node of a cluster: what the rules of [`cluster`](crate::cluster) decide is asked of a real Redis here.
//!
//! - **Owns** the connection to Redis, the line of commands, and a replica of each room that sessions of this process are in.
//! - **Receives** what this process asks ([`port::Ask`], in `messages/cluster`), and what Redis answers and publishes.
//! - **Sends** what the log of each room says ([`port::Told`]), in its order.
//! - **Never** makes anybody wait: it lives on a thread of its own, and what waits for Redis is bounded and fails in time. What was
//!   written to Redis never fails by a timeout: it is repeated under its number.
//!
//! | file | what |
//! |---|---|
//! | `script/` | all that is asked of Redis, as one script in Lua |
//! | `script.rs` | ... with its constants, which have their one place here |
//! | `wire/` | entries and answers as bytes, and back |
//! | `command.rs` | commands as the script's arguments |
//! | `node/` | the node: no runtime, no clock, no socket |
//! | `connection.rs` | one connection: commands out in order, answers and entries in |
//! | `driver.rs` | the thread around all of it |
//! | `report.rs` | what is logged and counted of it |
//! | `status.rs` | how it stands, for probes and metrics |

mod command;
mod connection;
mod driver;
mod node;
mod report;
mod script;
mod status;
pub mod wire;

pub use self::{
    driver::{ClusterConfig, ClusterError, start},
    status::{ClusterFigures, ClusterStatus, Link},
};
pub use crate::messages::cluster as port;
