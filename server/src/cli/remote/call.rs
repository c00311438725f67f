//! Calls a function of a server elsewhere, and reads its rows.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::{FlightDescriptor, FlightInfo};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataValue;

use super::failure::Poll;
use super::rows::Rows;
use super::{Connection, RemoteError};
use crate::flight::POLLABLE;

/// How long a server may take to say that it cancelled, or to tell the task that is to be cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// How the end of a call is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// By asking again and again.
    Polling,
    /// In one request.
    OneRequest,
}

/// What becomes of a call.
pub(crate) enum Reply {
    /// Rows to come.
    Rows {
        /// Their columns.
        schema: SchemaRef,
        /// The rows, read as fast as they are asked for.
        batches: BoxStream<'static, Result<RecordBatch, RemoteError>>,
    },
    /// The call was cancelled before it had a result.
    Cancelled,
}

/// Calls a function. When `interrupted` is cancelled, so is the task on the server.
pub(crate) async fn call(
    mut connection: Connection,
    function: &str,
    parameters: &Map<String, Value>,
    waiting: Waiting,
    interrupted: &CancellationToken,
) -> Result<Reply, RemoteError> {
    let command = json!({"functionName": function, "parameters": parameters}).to_string();
    let descriptor = FlightDescriptor::new_cmd(command);
    let info = match waiting {
        Waiting::Polling => poll(&mut connection, descriptor, interrupted).await?,
        Waiting::OneRequest => {
            let asked = connection.request(descriptor);
            tokio::select! {
                // The server cancels a task when the only client that waits for it goes away.
                () = interrupted.cancelled() => None,
                answer = connection.client().get_flight_info(asked) => match answer {
                    Ok(info) => Some(info.into_inner()),
                    Err(status) => return Err(RemoteError::of_status(connection.url(), &status)),
                },
            }
        }
    };
    match info {
        Some(info) => tokio::select! {
            () = interrupted.cancelled() => Ok(Reply::Cancelled),
            reply = read(connection, info) => reply,
        },
        None => Ok(Reply::Cancelled),
    }
}

/// Asks until there is a result; `None` when the call was cancelled.
async fn poll(
    connection: &mut Connection,
    descriptor: FlightDescriptor,
    interrupted: &CancellationToken,
) -> Result<Option<FlightInfo>, RemoteError> {
    // Only the first answer tells what can be cancelled, so it is waited for even then.
    let submitted = {
        let asking = ask(connection, descriptor);
        tokio::pin!(asking);
        tokio::select! {
            answer = &mut asking => answer?,
            () = interrupted.cancelled() => match timeout(CANCEL_TIMEOUT, asking).await {
                Ok(answer) => answer?,
                Err(_) => return Ok(None),
            },
        }
    };
    let mut pending = match submitted {
        Asked::Ready(info) => return Ok(Some(*info)),
        Asked::Pending(pending) => pending,
    };
    loop {
        let cancel = pending.cancel.clone();
        let answer = tokio::select! {
            biased;
            () = interrupted.cancelled() => None,
            answer = ask(connection, pending.retry) => Some(answer?),
        };
        match answer {
            Some(Asked::Ready(info)) => return Ok(Some(*info)),
            Some(Asked::Pending(next)) => pending = next,
            None => {
                // That it worked is told by an error, by design; and there is nothing to do when it did not.
                let _ = timeout(CANCEL_TIMEOUT, ask(connection, cancel)).await;
                return Ok(None);
            }
        }
    }
}

enum Asked {
    Ready(Box<FlightInfo>),
    Pending(Poll),
}

async fn ask(connection: &mut Connection, descriptor: FlightDescriptor) -> Result<Asked, RemoteError> {
    let mut request = connection.request(descriptor);
    request
        .metadata_mut()
        .insert(POLLABLE, MetadataValue::from_static("true"));
    match connection.client().get_flight_info(request).await {
        Ok(info) => Ok(Asked::Ready(Box::new(info.into_inner()))),
        Err(status) => match Poll::of(&status) {
            Some(poll) => Ok(Asked::Pending(poll)),
            None => Err(RemoteError::of_status(connection.url(), &status)),
        },
    }
}

/// Reads a result over the connection that asked for it: whatever stands in between, it leads to the right replica.
async fn read(mut connection: Connection, info: FlightInfo) -> Result<Reply, RemoteError> {
    let url = connection.url().to_owned();
    let ticket = info.endpoint.into_iter().find_map(|endpoint| endpoint.ticket);
    let ticket = ticket.ok_or_else(|| RemoteError::garbled(&url, &"a FlightInfo without a ticket"))?;
    let request = connection.request(ticket);
    let messages = match connection.client().do_get(request).await {
        Ok(messages) => messages.into_inner(),
        Err(status) => return Err(RemoteError::of_status(&url, &status)),
    };
    let mut rows = Rows::new(&url, messages);
    // The columns are in the first message, which comes before the first batch.
    let first = rows.next().await?;
    let schema = rows.columns()?;
    Ok(Reply::Rows {
        schema,
        batches: stream::iter(first.map(Ok)).chain(rows.into_stream()).boxed(),
    })
}
