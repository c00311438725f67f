//! What functions in Python return and raise, as clients read it.

use super::harness::{call, connect, read, rows as rows_of};
use super::started::{Started, command};

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_streams_arrive_and_errors_are_told() {
    let server = Started::new("");
    let mut client = connect(server.address).await;
    for (function, rows) in [("Tiny", 3), ("Wide", 131_072), ("Stream", 200), ("Tiny", 3)] {
        let info = call(&mut client, function).await.unwrap();
        let batches = read(&mut client, &info).await.unwrap();
        assert_eq!(rows_of(&batches), rows, "{function}");
    }
    let error = call(&mut client, "Wrong").await.unwrap_err();
    assert_eq!(error.code(), tonic::Code::Unknown);
    assert!(error.message().starts_with("there is no such region"), "{error}");
    let error = call(&mut client, "Nobody").await.unwrap_err();
    assert!(error.message().contains("Nobody"), "{error}");

    let raised = server.event("python_exception");
    assert_eq!(raised["fun"], "Wrong");
    assert!(raised["exception"].as_str().unwrap().contains("ValueError"), "{raised}");
    let line = server.event("called with None");
    assert_eq!(
        (&line["logger"], &line["level"], &line["fun"]),
        (&"tiny".into(), &"warning".into(), &"Tiny".into())
    );
    assert_eq!(
        (&line["rows"], line["task_id"].as_str().map(str::len)),
        (&3.into(), Some(32)),
        "{line}"
    );
}

#[test]
fn commands_know_functions_in_python() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = command("[flexconnect]\nfunctions = ['functions']", folder.path());
        let config = folder.path().join("server.toml");
        let output = command.args(arguments).arg("--config").arg(config).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}{said}");
        (text, said)
    };
    let (listed, _) = run(&["functions"]);
    assert!(listed.contains("Tiny\n  description: a few rows\n"), "{listed}");
    let (rows, said) = run(&["call", "Tiny", "--format", "csv"]);
    assert_eq!(rows, "n\n0\n1\n2\n");
    // Who calls a function wants to see what it prints.
    assert!(
        said.contains("called with None") && said.contains("three rows"),
        "{said}"
    );
    assert!(!said.contains("of no interest"), "{said}");
    assert_eq!(run(&["call", "Stream", "--format", "csv"]).0.lines().count(), 201);
}
