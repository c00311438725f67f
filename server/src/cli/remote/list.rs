//! The functions of a server elsewhere.

use arrow::datatypes::SchemaRef;
use arrow_flight::{Criteria, FlightInfo};
use serde::Deserialize;
use serde_json::Value;

use super::{Connection, RemoteError};
use crate::ipc::SchemaMessage;

/// A function as clients see it.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) schema: SchemaRef,
    pub(crate) metadata: Option<Value>,
}

/// Asks a server for its functions.
pub(crate) async fn list(mut connection: Connection) -> Result<Vec<Listed>, RemoteError> {
    let url = connection.url().to_owned();
    let refused = |status| RemoteError::of_status(&url, &status);
    let request = connection.request(Criteria::default());
    let mut infos = connection
        .client()
        .list_flights(request)
        .await
        .map_err(refused)?
        .into_inner();
    let mut functions = Vec::new();
    while let Some(info) = infos.message().await.map_err(refused)? {
        functions.push(read(info).map_err(|reason| RemoteError::garbled(&url, &reason))?);
    }
    Ok(functions)
}

fn read(info: FlightInfo) -> Result<Listed, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Command {
        function_name: String,
        #[serde(default)]
        metadata: Option<Value>,
    }
    let command = info.flight_descriptor.unwrap_or_default().cmd;
    let command: Command =
        serde_json::from_slice(&command).map_err(|error| format!("a function without a name: {error}"))?;
    let schema = SchemaMessage::cut(info.schema).and_then(|message| message.columns());
    let schema = schema.map_err(|error| format!("the schema of '{}': {error}", command.function_name))?;
    Ok(Listed {
        name: command.function_name,
        schema,
        metadata: command.metadata,
    })
}
