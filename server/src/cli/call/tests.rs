use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::Int64Array;
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::config::{self, Config, Inputs};
use crate::function::{Call, FunctionError, Output, from_fn};

fn columns() -> Schema {
    Schema::new(vec![Field::new("product", DataType::Int64, false)])
}

/// Doubles `a`; fails, panics and hangs as it is asked to.
async fn times(call: Call) -> Result<Output, FunctionError> {
    assert!(!call.parameters.contains_key("panic"), "as asked");
    if call.parameters.contains_key("hang") {
        std::future::pending::<()>().await;
    }
    let product = Int64Array::from(vec![call.required::<i64>("a")? * 2]);
    Ok(RecordBatch::try_new(columns().into(), vec![Arc::new(product)])?.into())
}

fn config() -> Config {
    let variables = [
        ("CALL_DEADLINE_MS", "500"),
        ("LIMITS", "{patient = {call_deadline_ms = 700}}"),
    ];
    let variables = variables.map(|(name, value)| (format!("GOODDATA_FLIGHT_FLEXCONNECT__{name}"), value.to_owned()));
    let variables = BTreeMap::from(variables);
    let inputs = Inputs {
        files: Vec::new(),
        variables,
        machine_name: "here".to_owned(),
    };
    config::load(&inputs).unwrap().0
}

async fn printed(name: &str, parameters: Value) -> Result<String, String> {
    let Value::Object(parameters) = parameters else {
        panic!("an object")
    };
    let server = Server::builder()
        .function(from_fn("Times", columns(), times))
        .function(from_fn("Patient", columns(), times))
        .build();
    let registry = server.into_registry().unwrap();
    let interrupted = CancellationToken::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let destination = Destination::of(Some(path.clone()), Format::Csv).unwrap();
    match here::call(&registry, config(), name, parameters, &interrupted).await {
        Ok(rows) => {
            let rows = rows.expect("nobody interrupts");
            let outcome = print(rows, destination, None, Progress::on_stderr(), &interrupted).await;
            assert_eq!(outcome.unwrap(), Printed::All);
            Ok(std::fs::read_to_string(path).unwrap())
        }
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn rows_are_printed() {
    assert_eq!(printed("Times", json!({"a": 21})).await, Ok("product\n42\n".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn failures_are_one_sentence() {
    let failure = async |name, parameters| printed(name, parameters).await.unwrap_err();
    assert_eq!(
        failure("Time", json!({})).await,
        "there is no function 'Time'; there are: Times, Patient"
    );
    assert_eq!(
        failure("Times", json!({})).await,
        "'Times' failed: The parameter 'a' is missing [bad_argument (1)]"
    );
    assert_eq!(
        failure("Times", json!({"panic": 1})).await,
        "'Times' failed: the function panicked [command_failed (5)]"
    );
    assert_eq!(
        failure("Times", json!({"hang": 1})).await,
        "'Times' took longer than its call_deadline_ms = 500"
    );
    assert_eq!(
        failure("Patient", json!({"hang": 1})).await,
        "'Patient' took longer than its call_deadline_ms = 700"
    );
}

#[tokio::test]
async fn an_interrupt_cancels_the_call() {
    let started = Arc::new(Notify::new());
    let telling = Arc::clone(&started);
    let patient = move |call: Call| {
        telling.notify_one();
        async move {
            call.cancelled.cancelled().await;
            Err(FunctionError::cancelled())
        }
    };
    let server = Server::builder()
        .function(from_fn("Patient", columns(), patient))
        .build();
    let registry = server.into_registry().unwrap();
    let interrupted = CancellationToken::new();
    let calling = here::call(&registry, config(), "Patient", serde_json::Map::new(), &interrupted);
    let (rows, ()) = tokio::join!(calling, async {
        started.notified().await;
        interrupted.cancel();
    });
    assert!(rows.unwrap().is_none());
}
