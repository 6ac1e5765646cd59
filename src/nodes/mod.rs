//! This process as one node of a cluster: what the rules of [`cluster`](crate::cluster) decide is asked of a real Redis here.
pub use crate::messages::cluster as port;
