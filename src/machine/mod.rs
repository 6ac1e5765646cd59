//! What this process may use of its machine, and what the kernel uses on its behalf.
mod cgroup;
#[cfg(test)]
mod fake;
mod limits;
mod tcp;

pub use limits::Machine;
pub use tcp::TcpMemory;
