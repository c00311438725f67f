use std::collections::BTreeMap;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;

use super::*;
use crate::config::{self, Inputs};
use crate::function::FlexConnectFunction;

/// Doubles `a`; fails, panics and hangs as it is asked to.
struct Times;

#[async_trait]
impl FlexConnectFunction for Times {
    fn name(&self) -> &'static str {
        "Times"
    }

    fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(vec![Field::new("product", DataType::Int64, false)]))
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let a = call.parameters.get("a").and_then(Value::as_i64);
        match a {
            Some(a) => Ok(RecordBatch::try_new(self.schema(), vec![Arc::new(Int64Array::from(vec![a * 2]))])?.into()),
            None if call.parameters.contains_key("panic") => panic!("as asked"),
            None if call.parameters.contains_key("hang") => std::future::pending().await,
            None => Err(FunctionError::bad_argument("a is missing")),
        }
    }
}

async fn printed(name: &str, parameters: &str) -> Result<String, String> {
    let variables = BTreeMap::from([(
        "GOODDATA_FLIGHT_FLEXCONNECT__CALL_DEADLINE_MS".to_owned(),
        "500".to_owned(),
    )]);
    let inputs = Inputs {
        files: Vec::new(),
        variables,
        machine_name: "here".to_owned(),
    };
    let (config, _) = config::load(&inputs).unwrap();
    let registry = Server::builder().function(Times).build().into_registry().unwrap();
    let mut out = Vec::new();
    let parameters = parse_parameters(parameters).unwrap();
    match call(&registry, config, name, parameters, Format::Csv, &mut out).await {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn rows_are_printed() {
    assert_eq!(printed("Times", r#"{"a": 21}"#).await, Ok("product\n42\n".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn failures_are_one_sentence() {
    assert_eq!(
        printed("Time", "{}").await.unwrap_err(),
        "there is no function 'Time'; there are: Times"
    );
    assert_eq!(
        printed("Times", "{}").await.unwrap_err(),
        "'Times' failed: a is missing"
    );
    assert!(
        printed("Times", r#"{"panic": 1}"#)
            .await
            .unwrap_err()
            .contains("panicked")
    );
    let late = printed("Times", r#"{"hang": 1}"#).await.unwrap_err();
    assert_eq!(late, "'Times' took longer than flexconnect.call_deadline_ms = 500");
}

#[test]
fn parameters_are_an_object_or_a_file_with_one() {
    assert_eq!(parse_parameters(r#"{"a": 1}"#).unwrap()["a"], 1);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parameters.json");
    fs::write(&path, r#"{"b": 2}"#).unwrap();
    assert_eq!(parse_parameters(&format!("@{}", path.display())).unwrap()["b"], 2);
    assert!(
        parse_parameters("[1]")
            .unwrap_err()
            .starts_with("it must be a JSON object: ")
    );
    assert!(
        parse_parameters("@/nowhere")
            .unwrap_err()
            .starts_with("/nowhere cannot be read: ")
    );
}
