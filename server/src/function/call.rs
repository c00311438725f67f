//! One call of a function.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{ExecutionContext, FunctionError, Headers};
use crate::auth::Identity;
use crate::task::TaskId;

/// What a function is given to work on.
#[derive(Clone, Debug)]
pub struct Call {
    /// The task that runs the call; it is in the server's logs.
    pub task_id: TaskId,
    /// Everything the caller sent as `parameters`.
    pub parameters: Map<String, Value>,
    /// `parameters.columns` as sent: the columns the caller will read. A hint; other columns do no harm.
    pub columns: Option<Value>,
    /// The metadata of the call, without the caller's credentials unless `server.pass_credentials` asks for them.
    pub headers: Headers,
    /// Who calls, as authentication found out.
    pub identity: Identity,
    /// Cancelled when the caller cancels, or when the call's deadline passes. A call that does not end within a few
    /// seconds after that is dropped at its next await.
    pub cancelled: CancellationToken,
    /// When the call is cancelled at the latest.
    pub deadline: Option<Instant>,
}

impl Call {
    /// A call with these parameters that nobody else knows of, for tests and for calls within one process.
    #[must_use]
    pub fn new(parameters: Map<String, Value>) -> Self {
        let columns = parameters.get("columns").filter(|columns| !columns.is_null()).cloned();
        Self {
            task_id: TaskId::random(),
            parameters,
            columns,
            headers: Headers::default(),
            identity: Identity::default(),
            cancelled: CancellationToken::new(),
            deadline: None,
        }
    }

    /// A parameter by its name; `None` when it is absent or null.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the name, when the parameter has another type.
    pub fn parameter<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, FunctionError> {
        match self.parameters.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_path_to_error::deserialize(value)
                .map(Some)
                .map_err(|error| FunctionError::bad_argument(format!("Incorrect parameter '{name}': {error}."))),
        }
    }

    /// A parameter that the function cannot do without.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the name, when the parameter is absent, null, or of another type.
    pub fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, FunctionError> {
        self.parameter(name)?
            .ok_or_else(|| FunctionError::bad_argument(format!("The parameter '{name}' is missing.")))
    }

    /// What GoodData says about the report, or the list of values, that this call is for. `None` when it said nothing.
    ///
    /// # Errors
    /// `BAD_ARGUMENT` with the key that is missing or of a wrong type.
    pub fn execution_context(&self) -> Result<Option<ExecutionContext>, FunctionError> {
        match self.parameters.get("executionContext") {
            None | Some(Value::Null) => Ok(None),
            Some(context) => ExecutionContext::from_json(context).map(Some),
        }
    }
}
