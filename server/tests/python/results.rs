//! What functions in Python return and raise, as clients read it.

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow_flight::{FlightDescriptor, FlightInfo};
use serde_json::json;
use tonic::Status;

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

/// Asks for so many rows.
async fn blob(server: &Started, rows: usize) -> Result<FlightInfo, Status> {
    let command = json!({"functionName": "Blob", "parameters": {"rows": rows}}).to_string();
    let mut client = connect(server.address).await;
    let asked = client.get_flight_info(FlightDescriptor::new_cmd(command)).await;
    asked.map(tonic::Response::into_inner)
}

/// Mebibytes of shared memory that the server has mapped, and that lie in files.
fn mapped(server: &Started) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.process())).unwrap();
    let sizes = maps
        .lines()
        .filter(|line| line.contains("memfd:flexconnect"))
        .map(|line| {
            let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            u64::from_str_radix(to, 16).unwrap() - u64::from_str_radix(from, 16).unwrap()
        });
    sizes.sum::<u64>() >> 20
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_do_not_fit_in_memory_are_read_from_files() {
    const ROWS: usize = 3_000_000;
    let spill = tempfile::tempdir().unwrap();
    let server = Started::new(&format!(
        "task_result_bytes = {}\ntask_spill_directory = {:?}\ntask_spill_bytes = {}\n",
        32 << 20,
        spill.path(),
        64 << 20
    ));
    let mut client = connect(server.address).await.max_decoding_message_size(usize::MAX);
    let mut kept = Vec::new();
    // The first fits in memory, the next two in the folder, and smaller ones go there too.
    for rows in [ROWS, ROWS, ROWS + 1, 500_000] {
        kept.push((rows, blob(&server, rows).await.unwrap()));
    }
    let refused = blob(&server, ROWS).await.unwrap_err();
    assert!(
        refused.message().contains("There is no room for the result"),
        "{refused}"
    );
    let never = blob(&server, 10 * ROWS).await.unwrap_err();
    assert!(never.message().contains("results may have"), "{never}");
    assert!(mapped(&server) < 32, "{} MiB", mapped(&server));
    for (rows, info) in kept {
        let batches = read(&mut client, &info).await.unwrap();
        let column = |batch: &RecordBatch| batch.column(0).as_primitive::<Int64Type>().values().to_vec();
        let values: Vec<_> = batches.iter().flat_map(column).collect();
        assert!(
            values.into_iter().eq(0..i64::try_from(rows).unwrap()),
            "the rows in their order"
        );
    }
    assert!(server.events("python_worker_ended").is_empty());
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
