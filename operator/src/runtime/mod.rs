//! What every controller needs: back-off, events, health, telemetry.

pub mod backoff;
pub mod events;
pub mod health;
pub mod telemetry;
