//! FlexConnect server: an Arrow Flight service that runs functions as tasks, and the SDK to write such functions in Rust.
//!
//! A function has a name, columns, and a `call`; a program of functions is a server with a command line:
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::Arc;
//!
//! use flexconnect_server::arrow::array::{Float64Array, RecordBatch, StringArray};
//! use flexconnect_server::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
//! use flexconnect_server::{
//!     Call, FlexConnectFunction, FunctionError, LoadContext, Output, Server, async_trait, cli,
//! };
//!
//! struct Revenue;
//!
//! #[async_trait]
//! impl FlexConnectFunction for Revenue {
//!     fn name(&self) -> &str {
//!         "Revenue"
//!     }
//!
//!     fn schema(&self) -> SchemaRef {
//!         Arc::new(Schema::new(vec![
//!             Field::new("region", DataType::Utf8, false),
//!             Field::new("revenue", DataType::Float64, false),
//!         ]))
//!     }
//!
//!     async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
//!         // `[revenue] api_url = "…"` in a settings file, or GOODDATA_FLIGHT_REVENUE__API_URL.
//!         match context.get::<String>("revenue.api_url")? {
//!             Some(_) => Ok(()),
//!             None => Err(FunctionError::failed("set revenue.api_url")),
//!         }
//!     }
//!
//!     async fn call(&self, call: Call) -> Result<Output, FunctionError> {
//!         let Some(context) = call.execution_context()? else {
//!             return Err(FunctionError::bad_argument("Revenue is made for reports."));
//!         };
//!         let regions = StringArray::from(vec![context.workspace_id.as_str()]);
//!         let revenue = Float64Array::from(vec![42.0]);
//!         let batch = RecordBatch::try_new(self.schema(), vec![Arc::new(regions), Arc::new(revenue)])?;
//!         Ok(Output::table(self.schema(), vec![batch]))
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     cli::run(Server::builder().function(Revenue).build())
//! }
//! ```
//!
//! The program then has the commands `start`, `functions` and `call NAME`; see `--help`.

pub mod admin;
pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod drain;
pub mod error;
pub mod flight;
pub mod function;
pub mod ipc;
pub mod memory;
pub mod net;
mod reload;
pub mod task;
pub mod telemetry;

pub use arrow;
pub use arrow_flight;
pub use async_trait::async_trait;
pub use prometheus;

pub use admin::HealthModule;
pub use app::{Running, Server, ServerBuilder, ServerContext, StartError};
pub use auth::Identity;
pub use error::{ErrorCode, ErrorInfo, FlightError, FlightKind, Retry};
pub use function::{Call, ExecutionContext, FlexConnectFunction, HeaderValue, Headers, LoadContext};
pub use task::{FunctionError, Output, RecordBatchStream, Table, TaskContext, TaskId, Work};
pub use telemetry::Metrics;
