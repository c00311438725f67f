//! Descriptors: their command, and what a polling client means by it.

use arrow_flight::FlightDescriptor;
use arrow_flight::flight_descriptor::DescriptorType;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;

use crate::error::FlightError;
use crate::task::TaskId;

/// Clients that poll say so with this header. Its value does not matter.
pub(crate) const POLLABLE: &str = "x-quiver-pollable";

const RETRY: &[u8] = b"r:";
const CANCEL: &[u8] = b"c:";

/// The command of a descriptor; empty for a path.
pub(super) fn command(descriptor: FlightDescriptor) -> Result<Bytes, FlightError> {
    match DescriptorType::try_from(descriptor.r#type) {
        Ok(DescriptorType::Cmd) => Ok(descriptor.cmd),
        Ok(DescriptorType::Path) => Ok(Bytes::new()),
        Ok(DescriptorType::Unknown) | Err(_) => Err(FlightError::InvalidArgument(
            "Client sent UNKNOWN descriptor type".to_owned(),
        )),
    }
}

/// What a polling client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// Start a task with this command.
    Submit(Bytes),
    /// Wait for a task again.
    Retry(String),
    /// Cancel a task.
    Cancel(String),
}

impl Poll {
    pub(super) fn parse(command: Bytes) -> Result<Self, FlightError> {
        if let Some(id) = command.strip_prefix(CANCEL) {
            return task_id(id).map(Self::Cancel);
        }
        if let Some(id) = command.strip_prefix(RETRY) {
            return task_id(id).map(Self::Retry);
        }
        if command.is_empty() {
            return Err(FlightError::bad_argument(
                "Incorrect FlexConnect function invocation. Flight descriptor must contain command with the invocation \
                 payload.",
            ));
        }
        Ok(Self::Submit(command))
    }
}

fn task_id(bytes: &[u8]) -> Result<String, FlightError> {
    String::from_utf8(bytes.to_owned())
        .map_err(|_| FlightError::InvalidArgument("The task id in the descriptor is not valid UTF-8.".to_owned()))
}

/// What to ask with for a task again.
pub(super) fn retry_descriptor(task: TaskId) -> FlightDescriptor {
    descriptor(RETRY, task)
}

fn descriptor(prefix: &[u8], task: TaskId) -> FlightDescriptor {
    FlightDescriptor::new_cmd([prefix, task.to_string().as_bytes()].concat())
}

/// What the error for work in progress carries: the descriptors to poll and to cancel with.
pub(super) fn retry_info(task: TaskId) -> Vec<u8> {
    #[derive(Serialize)]
    struct RetryInfo {
        /// Clients cannot read a FlightInfo here.
        flight_info: (),
        retry_descriptor: String,
        cancel_descriptor: String,
    }
    let encoded = |prefix| BASE64_STANDARD.encode(descriptor(prefix, task).encode_to_vec());
    let info = RetryInfo {
        flight_info: (),
        retry_descriptor: encoded(RETRY),
        cancel_descriptor: encoded(CANCEL),
    };
    serde_json::to_vec(&info).expect("strings are always JSON")
}

#[cfg(test)]
mod tests;
