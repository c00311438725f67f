//! Properties of the pure steps: whatever the object, validate and build end well, and a second time they do the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod objects;
mod properties;
mod upgrade;
