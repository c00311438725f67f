//! The operator against a real API server: a namespace, an operator and a GoodData of its own for each test.
//!
//! Only etcd and the API server run, so a test plays the controllers that it needs: see [`World::make_ready`]. The servers
//! are real ones, in the process of the tests.

mod cluster;
mod kubelet;
mod wait;
mod world;

pub use cluster::{Cluster, repository};
pub use wait::eventually;
pub use world::{Fleet, World};
