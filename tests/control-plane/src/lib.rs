//! The operator against a real API server: a namespace, an operator and a GoodData of its own for each test.
//!
//! Only etcd and the API server run, so a test plays the controllers that it needs: see [`World::make_ready`]. The servers
//! are real ones, in the process of the tests.

mod cluster;
mod faults;
mod kubelet;
mod process;
mod proxy;
mod wait;
mod world;

pub use cluster::{Cluster, apply_yaml, repository};
pub use faults::{Failure, Faults};
pub use process::{Kubeconfig, Operator};
pub use proxy::{Mode, Proxy};
pub use wait::eventually;
pub use world::{Fleet, World};
