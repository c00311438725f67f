//! FlexConnect server: an Arrow Flight service that runs functions as tasks, and the SDK to write such functions in Rust.
//!
//! A function has a name, columns, and a body; a program of functions is a server with a command line:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use flexconnect_server::arrow::array::{Float64Array, RecordBatch, StringArray};
//! use flexconnect_server::arrow::datatypes::{DataType, Field, Schema};
//! use flexconnect_server::context::last_part;
//! use flexconnect_server::{Call, FunctionError, Output, Server, cli, from_fn};
//!
//! fn columns() -> Schema {
//!     Schema::new(vec![
//!         Field::new("region", DataType::Utf8, false),
//!         Field::new("revenue", DataType::Float64, false),
//!     ])
//! }
//!
//! async fn revenue(call: Call) -> Result<Output, FunctionError> {
//!     let factor = call.parameter::<f64>("factor")?.unwrap_or(1.0);
//!     let regions = StringArray::from(vec!["East", "West"]);
//!     let revenue = Float64Array::from_iter_values([20.0, 22.0].map(|each| each * factor));
//!     let mut rows = RecordBatch::try_new(columns().into(), vec![Arc::new(regions), Arc::new(revenue)])?;
//!     if let Some(context) = call.execution_context()? {
//!         rows = context.filter_rows(&rows, last_part)?; // those that the report's filters let pass
//!     }
//!     Output::from(rows).project(&call.projection(&columns())) // and the columns that it shows
//! }
//!
//! fn main() -> ExitCode {
//!     cli::run(Server::builder().function(from_fn("Revenue", columns(), revenue)).build())
//! }
//! ```
//!
//! The program then has the commands `start`, `functions` and `call NAME`; see `--help`:
//!
//! ```text
//! $ sales call Revenue --param factor=2 --columns region
//! $ sales start --config server.toml
//! $ sales call Revenue --url grpc://localhost:17001
//! ```
//!
//! What else there is:
//!
//! - [`FlexConnectFunction`]: functions with something to load, with settings of their own, or with a hook for cancellation.
//! - [`Call`]: parameters, headers, who calls, whether the call was cancelled.
//! - [`context`]: what GoodData says about the report: filters, dates, the page of values it wants.
//! - [`Output`]: a table, which can be read again and again, or a stream, which is computed while it is read.
//! - [`FunctionError`]: any error by `?`, or one with a code that clients can act on.
//! - [`testing`]: calls without a server and without a network.
//! - [`Server::start`]: the server within a program of one's own.

pub mod admin;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
mod drain;
pub mod error;
pub mod flight;
pub mod function;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod ipc;
pub mod memory;
pub mod net;
mod reload;
pub mod task;
pub mod telemetry;
pub mod testing;
mod worker;

pub use arrow;
pub use arrow_flight;
pub use async_trait::async_trait;
pub use {jiff, prometheus, serde_json};

pub use admin::HealthModule;
pub use app::{Running, Server, ServerBuilder, StartError};
pub use auth::Identity;
pub use drain::Pending;
pub use error::{ErrorCode, ErrorInfo, FlightError, FlightKind, Retry};
pub use flight::ServerContext;
pub use function::{
    Call, DataSourceMessage, ExecutionContext, FlexConnectFunction, HeaderValue, Headers, LoadContext, Projection,
    context, from_fn,
};
pub use task::{Encoded, FunctionError, Output, RecordBatchStream, Table, TaskContext, TaskId, Work};
pub use telemetry::Metrics;
pub use worker::PythonError;
