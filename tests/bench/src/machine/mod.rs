//! What processes and the machine use, as the kernel counts it.

mod memory;
mod processor;
mod tree;

pub(crate) use memory::{Memory, Watch, memory, threads};
pub(crate) use processor::Busy;
pub(crate) use tree::tree;

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
