//! Generated files are the ones that the code generates, and documents that speak of the code keep up with it.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_reference_of_the_configuration_is_up_to_date() {
    let page = include_str!("../../docs/reference/configuration.md");
    assert!(
        page == flexconnect_server::config::reference(),
        "docs/reference/configuration.md is stale: run `make generate`"
    );
}

/// The rows of the page of faults: the number, and what is in the column of tests.
fn faults() -> Vec<(usize, &'static str)> {
    let rows = include_str!("../../docs/faults.md").lines().filter_map(|line| {
        let cells: Vec<_> = line
            .strip_prefix("| GD-")?
            .trim_end_matches(" |")
            .split(" | ")
            .collect();
        assert_eq!(cells.len(), 4, "the cells of a row: {line}");
        let (number, tests) = (cells[0], cells[3]);
        Some((number.parse().expect("a number"), tests))
    });
    rows.collect()
}

/// The text of every file of tests.
fn tests() -> String {
    let mut folders: Vec<PathBuf> = ["src", "tests", "../tests/compat"]
        .map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .into();
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "rs" || extension == "py")
            {
                text.push_str(&fs::read_to_string(path).expect("a text"));
            }
        }
    }
    text
}

#[test]
fn every_fault_is_accounted_for() {
    let numbers: Vec<_> = faults().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
}

#[test]
fn the_tests_of_every_fault_are_there() {
    let differences: String = include_str!("../../tests/compat/differences.py")
        .split_whitespace()
        .collect();
    let tests = tests();
    let missing: Vec<_> = faults()
        .iter()
        .flat_map(|(number, named)| {
            named
                .split_whitespace()
                .map(move |name| (number, name.trim_matches('`')))
        })
        .filter(|(number, name)| match *name {
            "compat" => !["Difference", "Start", "Deviation"]
                .iter()
                .any(|kind| differences.contains(&format!("{kind}({number},"))),
            name => !tests.contains(&format!("fn {name}(")) && !tests.contains(&format!("def {name}(")),
        })
        .map(|(number, name)| format!("GD-{number}: {name}"))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/faults.md names tests that are not there: {missing:?}"
    );
}
