//! What every controller needs, whatever it controls: election, back-off, events, health, metrics, telemetry.

pub mod allocator;
pub mod api;
pub mod backoff;
pub mod events;
pub mod fence;
pub mod health;
pub mod lease;
pub mod metrics;
pub mod quiet;
pub mod telemetry;
