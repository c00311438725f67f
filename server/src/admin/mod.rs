//! Health and metrics endpoints, on a thread and runtime of their own so that they answer when all else is busy.

mod endpoint;
mod health;
mod modules;
mod open;
mod probes;
mod pulse;
mod scrape;
mod status;

#[cfg(test)]
mod tests;

pub use health::Health;
pub use modules::HealthModule;
pub use open::OpenError;
pub(crate) use open::open;
pub use pulse::Pulse;
pub(crate) use status::Status;
