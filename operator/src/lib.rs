//! The operator of FlexConnect for Kubernetes: one object in, a fleet of servers and its registration with GoodData out.

pub mod apply;
pub mod ask;
pub mod build;
pub mod cli;
pub mod controller;
pub mod dereference;
mod digest;
pub mod exposure;
pub mod fleet;
pub mod local;
pub mod names;
pub mod quantity;
pub mod rbac;
pub mod reason;
pub mod registration;
pub mod rollout;
mod run;
pub mod runtime;
pub mod status;
pub mod token;
pub mod validate;
