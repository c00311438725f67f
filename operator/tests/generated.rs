//! What is generated from the operator is committed, and fresh.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use flexconnect_operator::rbac::Roles;

#[test]
fn the_committed_roles_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/rbac/roles.yaml");
    assert!(
        std::fs::read_to_string(path).unwrap() == Roles::default().yaml(),
        "config/rbac/roles.yaml is stale; refresh it with:\n\n    make generate\n"
    );
}
