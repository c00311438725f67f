//! Generated files in the repository are the ones that the code generates.

#[test]
fn the_reference_of_the_configuration_is_up_to_date() {
    let page = include_str!("../../docs/reference/configuration.md");
    assert!(
        page == flexconnect_server::config::reference(),
        "docs/reference/configuration.md is stale: run `make generate`"
    );
}
