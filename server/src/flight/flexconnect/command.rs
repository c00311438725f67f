//! The command of a descriptor: which function to call, with what.

use serde_json::{Map, Value};

use super::json;
use crate::error::FlightError;

/// A call as a client describes it:
/// `{"functionName": "Sales", "parameters": {"columns": ["a"], "executionContext": {…}}}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The function, matched exactly.
    pub function: String,
    /// What the function is given, unknown keys included.
    pub parameters: Map<String, Value>,
    /// `parameters.columns` as sent, which stays in `parameters` too.
    pub columns: Option<Value>,
}

/// Why a command is none. The texts are part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Not JSON by RFC 8259, or nested deeper than 256 levels.
    #[error("Incorrect FlexConnect function invocation. The invocation payload is not a valid JSON.")]
    NotJson,
    /// JSON, but not an object.
    #[error("Incorrect FlexConnect function invocation. The invocation payload is not a JSON object.")]
    NotAnObject,
    /// No function, or an empty value in its place.
    #[error("Incorrect FlexConnect function invocation. The invocation payload does not specify 'functionName'.")]
    NoFunction,
    /// The name of the function is not text.
    #[error("Incorrect FlexConnect function invocation. The 'functionName' must be a string.")]
    FunctionNotText,
    /// The parameters are not an object.
    #[error("Incorrect FlexConnect function invocation. The 'parameters' must be a JSON object.")]
    ParametersNotAnObject,
}

impl From<CommandError> for FlightError {
    fn from(error: CommandError) -> Self {
        Self::bad_argument(error.to_string())
    }
}

impl Invocation {
    /// Reads a command.
    ///
    /// # Errors
    /// The first problem in the order JSON, function, parameters.
    pub fn parse(command: &[u8]) -> Result<Self, CommandError> {
        let command = json::parse(command).ok_or(CommandError::NotJson)?;
        let Value::Object(mut command) = command else {
            return Err(CommandError::NotAnObject);
        };
        let function = match command.swap_remove("functionName") {
            Some(Value::String(name)) if !name.is_empty() => name,
            Some(value) if !is_falsy(&value) => return Err(CommandError::FunctionNotText),
            Some(_) | None => return Err(CommandError::NoFunction),
        };
        let parameters = match command.swap_remove("parameters") {
            Some(Value::Object(parameters)) => parameters,
            Some(value) if !is_falsy(&value) => return Err(CommandError::ParametersNotAnObject),
            Some(_) | None => Map::new(),
        };
        let columns = parameters.get("columns").filter(|columns| !columns.is_null()).cloned();
        Ok(Self {
            function,
            parameters,
            columns,
        })
    }
}

/// What Python takes for "nothing there", and clients written against the Python server may send instead of nothing.
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

#[cfg(test)]
mod tests;
