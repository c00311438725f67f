//! Health endpoints, on a thread and runtime of their own so that they answer when all else is busy.

mod health;
mod http;
mod pulse;

pub use health::Health;
pub(crate) use http::serve;
pub use pulse::Pulse;
