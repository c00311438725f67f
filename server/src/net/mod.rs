//! From a socket to the service: listening, TLS, the accept loop, the layers every call passes.

mod names;

pub use names::{location, machine_name};
