//! What needs neither cluster nor GoodData: properties of the pure steps, and what the program says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod objects;
mod properties;
mod upgrade;
