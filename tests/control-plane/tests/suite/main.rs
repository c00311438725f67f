//! The operator against a real API server. Run by tests/control-plane/run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deletion;
mod faults;
mod gooddata;
mod leader;
mod lifecycle;
mod operations;
mod ownership;
mod refusals;
mod replicas;
mod roll_outs;
mod rotation;
mod samples;
