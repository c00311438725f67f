//! FlexConnect server: an Arrow Flight service that runs functions as tasks, and the SDK to write such functions in Rust.

pub mod admin;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod drain;
pub mod error;
pub mod flight;
pub mod function;
pub mod ipc;
pub mod net;
pub mod task;
pub mod telemetry;
