//! `start --reload`: functions are loaded anew when their files change.

use std::fs;

use super::harness::{call, connect, eventually, read};
use super::started::Started;

/// A module with a function of this name, whose one column has this name too.
fn module(function: &str, column: &str) -> String {
    format!(
        "import pyarrow as pa\nfrom gooddata_flexconnect import FlexConnectFunction\nfrom helping import VALUE\n\n\n\
         class F(FlexConnectFunction):\n    Name = '{function}'\n    Schema = pa.schema([('{column}', pa.int64())])\n\n    \
         def call(self, parameters, columns, headers):\n        \
         return pa.table({{'{column}': [VALUE]}}, schema=self.Schema)\n"
    )
}

/// The name and the value of the one column and row that a function returns, if there is such a function.
async fn answer(server: &Started, function: &str) -> Option<(String, i64)> {
    let mut client = connect(server.address).await;
    let info = call(&mut client, function).await.ok()?;
    let batches = read(&mut client, &info).await.ok()?;
    let column = batches[0].schema().field(0).name().clone();
    let values = batches[0].column(0).to_data().buffers()[0].typed_data::<i64>().to_vec();
    Some((column, values[0]))
}

async fn answers(server: &Started, function: &str, column: &str, value: i64) {
    let expected = (column.to_owned(), value);
    eventually(|| async { answer(server, function).await.filter(|found| *found == expected) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_modules_are_served_without_a_restart_and_broken_ones_leave_what_was() {
    let write = |folder: &std::path::Path, name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let server = Started::beginning("theirs", "", |command, folder| {
        write(folder, "theirs.py", &module("First", "a"));
        write(folder, "helping.py", "VALUE = 1\n");
        command.arg("--reload");
    });
    let here = server.folder.path();
    answers(&server, "First", "a", 1).await;

    write(here, "helping.py", "VALUE = 22\n");
    answers(&server, "First", "a", 22).await;

    write(here, "theirs.py", &module("Second", "other"));
    answers(&server, "Second", "other", 22).await;
    assert_eq!(answer(&server, "First").await, None, "it is gone");

    write(here, "theirs.py", "def (");
    let broken = server.event("python_functions_not_loaded");
    assert!(
        broken["exception"].as_str().unwrap().contains("SyntaxError"),
        "{broken}"
    );
    answers(&server, "Second", "other", 22).await;
    assert!(server.is_ready());

    write(here, "theirs.py", &module("Third", "third"));
    answers(&server, "Third", "third", 22).await;
    assert!(
        server
            .events("python_worker_ended")
            .iter()
            .any(|ended| ended["reason"] == "reloaded")
    );
}
