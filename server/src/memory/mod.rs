//! Memory: how much there is, who has how much of it, and where results go that do not fit.

mod budget;

pub use budget::{Budget, Exceeded, Lease};
