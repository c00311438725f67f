//! The sandbox from outside: its API over HTTP, its queries against real Flight servers, its command line.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test ends with its first surprise")]

mod access;
mod cli;
mod control;
mod openapi;
mod query;
mod rest;
mod scan;
mod support;
mod trust;
