//! Roll-outs: which replicas there are, which of them are made anew, and which of them data sources name. Pure.

mod causes;
mod decide;
mod immutable;
#[cfg(test)]
mod model;
mod observe;
mod replica;
#[cfg(test)]
mod tests;
mod urls;

pub use causes::causes;
pub use decide::{Decision, Progress, Removal, Set, Situation, Sources, decide};
pub use immutable::immutable_change;
pub use observe::{Known, is_settled, ready, replicas, set, settled, settled_revision};
pub use replica::{Life, Replica};
pub use urls::{URL_SEPARATOR, names};
