//! Memory: how much there is, who has how much of it, and where results go that do not fit.

mod allocator;
mod budget;
mod room;
mod size;
mod spill;

pub use allocator::{Allocator, give_back_unused};
pub use budget::{Budget, Exceeded, Lease};
pub use room::Room;
pub use size::{ResultBytes, Source, System};
pub use spill::{Region, Spill, SpillError};
