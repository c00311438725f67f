//! What a function is, the registry of functions, and the context they are called in.

mod call;
pub mod context;
#[cfg(test)]
pub(crate) mod fixtures;
mod from_fn;
mod headers;
mod load;
mod message;
mod projection;
mod registry;
mod run;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use serde_json::Value;

pub use call::Call;
pub use context::ExecutionContext;
pub use from_fn::{FromFn, from_fn};
pub use headers::{HeaderValue, Headers};
pub use load::LoadContext;
pub use message::DataSourceMessage;
pub use projection::Projection;
pub use registry::{LoadError, RegisteredFunction, Registry, RegistryBuilder, RegistryError};
pub(crate) use run::{FunctionCall, start};

use crate::task::TaskId;
pub(crate) use crate::task::panicked;
pub use crate::task::{Encoded, FunctionError, Output, RecordBatchStream, Table};

/// A function that GoodData calls as if it were a table.
///
/// One value serves all calls, many at a time. A panic in any method is an error of that call, never of the server.
#[async_trait]
pub trait FlexConnectFunction: Send + Sync + 'static {
    /// The name that callers use: not empty, and unique in the server. Asked once, at start.
    fn name(&self) -> &str;

    /// The columns that the function offers. It is what clients are shown; a result may have other columns.
    fn schema(&self) -> SchemaRef;

    /// Anything else that clients should be shown: a JSON object.
    fn metadata(&self) -> Option<Value> {
        None
    }

    /// Whether `call` computes for long or blocks its thread. Such calls run on threads of their own instead of the
    /// ones that serve the network, and so do the batches of the stream they return.
    fn blocking(&self) -> bool {
        false
    }

    /// Prepares the function, once and before any call. May take as long as it likes; an error stops the start.
    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        let _ = context;
        Ok(())
    }

    /// Computes the result of one call.
    async fn call(&self, call: Call) -> Result<Output, FunctionError>;

    /// Told once, when a running call is cancelled for the first time. What the call itself can see is
    /// [`Call::cancelled`]; this hook is for work that goes on elsewhere. Runs on a thread that may block.
    fn cancel(&self, task: &TaskId) {
        let _ = task;
    }
}
