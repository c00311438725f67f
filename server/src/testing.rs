//! Calls functions without a server and without a network, for their tests.
//!
//! ```
//! use std::sync::Arc;
//!
//! use flexconnect_server::arrow::array::{RecordBatch, StringArray};
//! use flexconnect_server::arrow::datatypes::{DataType, Field, Schema};
//! use flexconnect_server::{Call, ErrorCode, FunctionError, Output, from_fn, testing};
//! use serde_json::json;
//!
//! async fn greet(call: Call) -> Result<Output, FunctionError> {
//!     let greeting = format!("Hello, {}!", call.required::<String>("who")?);
//!     let greetings = StringArray::from(vec![greeting]);
//!     Ok(RecordBatch::try_from_iter([("greeting", Arc::new(greetings) as _)])?.into())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), FunctionError> {
//! let columns = Schema::new(vec![Field::new("greeting", DataType::Utf8, false)]);
//! let function = from_fn("Greet", columns, greet);
//!
//! let rows = testing::call(&function, json!({"who": "world"})).await?;
//! assert_eq!(rows.to_json()?, json!([{"greeting": "Hello, world!"}]));
//!
//! let error = testing::call(&function, json!({})).await.expect_err("nobody to greet");
//! assert_eq!(error.code(), ErrorCode::BAD_ARGUMENT);
//! # Ok(())
//! # }
//! ```
//!
//! [`serve`] is for the tests that need a real client.

use std::error::Error;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow_json::writer::{JsonArray, WriterBuilder};
use futures::TryStreamExt as _;
use serde_json::{Value, json};

use crate::app::{Running, Server};
use crate::config::{self, Inputs};
use crate::function::{Call, FlexConnectFunction, FunctionError, LoadContext};

/// Where tests are told that results would be read.
const LOCATION: &str = "grpc://localhost:17001";

/// All rows of a result.
#[derive(Clone, Debug)]
pub struct Rows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Rows {
    /// The columns of the result, with the schema metadata that travels with it.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The rows as the function cut them.
    #[must_use]
    pub fn batches(&self) -> &[RecordBatch] {
        &self.batches
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows as one batch.
    ///
    /// # Errors
    /// When a batch has other columns than the result.
    pub fn to_batch(&self) -> Result<RecordBatch, FunctionError> {
        Ok(concat_batches(&self.schema, &self.batches)?)
    }

    /// The rows as a list of objects, nulls included.
    ///
    /// # Errors
    /// When a column has a type that JSON has no form for.
    pub fn to_json(&self) -> Result<Value, FunctionError> {
        let mut writer = WriterBuilder::new()
            .with_explicit_nulls(true)
            .build::<_, JsonArray>(Vec::new());
        writer.write_batches(&self.batches.iter().collect::<Vec<_>>())?;
        writer.finish()?;
        Ok(serde_json::from_slice(&writer.into_inner())?)
    }
}

/// Calls a function with these `parameters`, which must be an object, and reads its rows.
///
/// # Errors
/// That of the function, or of a batch of its stream.
pub async fn call(function: &dyn FlexConnectFunction, parameters: Value) -> Result<Rows, FunctionError> {
    let Value::Object(parameters) = parameters else {
        return Err(FunctionError::bad_argument("The parameters must be a JSON object."));
    };
    run(function, Call::new(parameters)).await
}

/// Makes a call that has more than parameters: headers, an identity, a cancellation.
///
/// # Errors
/// As [`call`].
pub async fn run(function: &dyn FlexConnectFunction, call: Call) -> Result<Rows, FunctionError> {
    let output = function.call(call).await?;
    let schema = SchemaRef::clone(output.schema());
    let batches = output.into_batches().try_collect().await?;
    Ok(Rows { schema, batches })
}

/// Loads a function with these settings, as a server does before the first call.
///
/// # Errors
/// That of the function; and when the settings are not a table.
pub async fn load(function: &dyn FlexConnectFunction, settings: Value) -> Result<(), FunctionError> {
    let Value::Object(settings) = settings else {
        return Err(FunctionError::failed("the settings must be a table"));
    };
    function.on_load(&LoadContext::new(settings, LOCATION)).await
}

/// An `executionContext` for the parameters of a call: that of a report, on the last day of January 2025 in UTC. `more` is
/// an object whose members come on top, such as `filters` or `timestamp`.
#[must_use]
pub fn execution_context(more: Value) -> Value {
    let mut context = json!({
        "executionType": "REPORT",
        "organizationId": "organization",
        "workspaceId": "workspace",
        "userId": "user",
        "timestamp": "2025-01-31T08:00:00+00:00",
        "timezone": "Etc/UTC",
        "weekStart": "monday",
        "attributes": [],
        "filters": [],
    });
    if let (Value::Object(context), Value::Object(more)) = (&mut context, more) {
        context.extend(more);
    }
    context
}

/// Starts a server in this process, on a free port of the loopback address. `settings` are paths and values as in variables:
/// `("sales.api_url", "https://…")`. Dropping what is returned ends the server.
///
/// # Errors
/// When a setting is wrong, or the server does not start.
pub async fn serve(server: Server, settings: &[(&str, &str)]) -> Result<Running, Box<dyn Error + Send + Sync>> {
    let variable = |path: &str| format!("GOODDATA_FLIGHT_{}", path.replace('.', "__").to_ascii_uppercase());
    let variables = settings
        .iter()
        .map(|(path, value)| (variable(path), (*value).to_owned()));
    let inputs = Inputs {
        files: Vec::new(),
        variables: variables.collect(),
        machine_name: "localhost".to_owned(),
    };
    let (mut config, _) = config::load(&inputs)?;
    config.server.listen.port = 0;
    Ok(server.start(config).await?)
}
