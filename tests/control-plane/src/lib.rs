//! Runs the operator against a real API server; see the tests of this crate.
