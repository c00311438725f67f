//! The Flight methods of the shelf.

use std::sync::Arc;
use std::time::Duration;

use flexconnect_server::arrow::array::RecordBatch;
use flexconnect_server::arrow_flight::{
    Action, ActionType, Criteria, FlightData, FlightDescriptor, FlightInfo, PutResult, Result as ActionResult, Ticket,
};
use flexconnect_server::flight::{Answers, CallContext, DataStream, FlightMethods, Upload, Uploads, send};
use flexconnect_server::ipc::SchemaMessage;
use flexconnect_server::task::Submission;
use flexconnect_server::{FlightError, FunctionError, Output, async_trait};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;

use crate::shelf::{Shelf, Shelved};
use crate::summary::Summary;

/// What `GetFlightInfo` understands: `{"summarise": "sales"}`.
#[derive(Deserialize)]
struct Command {
    summarise: String,
    #[serde(default)]
    pause_ms: u32,
}

/// Flight, as the shelf speaks it. Tables have paths; the results of tasks have tickets.
pub(crate) struct ShelfMethods {
    shelf: Shelf,
}

impl ShelfMethods {
    /// The methods of a shelf.
    pub(crate) const fn new(shelf: Shelf) -> Self {
        Self { shelf }
    }
}

#[async_trait]
impl FlightMethods for ShelfMethods {
    /// The tables of the caller.
    async fn list_flights(&self, call: &CallContext, _: Criteria) -> Result<Answers<FlightInfo>, FlightError> {
        let tables = self.shelf.of(tenant(call)?);
        let flights = tables.into_iter().map(|(name, table)| flight(name, &table));
        Ok(stream::iter(flights.collect::<Vec<_>>()).boxed())
    }

    /// Sums a table up, and says where the sums are. A client that goes away cancels the work.
    async fn get_flight_info(
        &self,
        call: &CallContext,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, FlightError> {
        let wrong = |error| FlightError::bad_argument(format!("The command is not {{\"summarise\": NAME}}: {error}."));
        let Command { summarise, pause_ms } = serde_json::from_slice(&descriptor.cmd).map_err(wrong)?;
        let summary = Summary {
            table: self.shelf.get(tenant(call)?, &summarise)?,
            pause: Duration::from_millis(pause_ms.into()),
        };
        let task = call.server().tasks().submit(Submission {
            work: Arc::new(summary),
            command: descriptor.cmd,
            deadline: None,
        })?;
        call.flight_of(&task, task.id().to_string()).await
    }

    /// The result of a task, or a table as it was uploaded: its ticket is `table:NAME`.
    async fn do_get(&self, call: &CallContext, ticket: Ticket) -> Result<DataStream, FlightError> {
        let ticket = text(&ticket.ticket)?;
        match ticket.strip_prefix("table:") {
            Some(name) => send(Output::from(self.shelf.get(tenant(call)?, name)?)),
            None => call.data_of(ticket).await,
        }
    }

    /// Puts a table on the shelf; the answer is its number of rows.
    async fn do_put(&self, call: &CallContext, data: Uploads<FlightData>) -> Result<Answers<PutResult>, FlightError> {
        let mut upload = Upload::open(data).await?;
        let [name] = &upload.descriptor().path[..] else {
            return Err(FlightError::bad_argument("A table needs a path of one name."));
        };
        let name = name.clone();
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = upload.try_next().await? {
            bytes += batch.get_array_memory_size();
            if bytes > self.shelf.max_table_bytes() {
                return Err(FlightError::bad_argument(
                    "The table is larger than [shelf] max_table_bytes.",
                ));
            }
            batches.push(batch);
        }
        let schema = upload.schema().cloned();
        let schema = schema.ok_or_else(|| FlightError::bad_argument("A table needs a schema."))?;
        let table = Shelved::new(schema, batches);
        let rows = table.rows();
        self.shelf.put(tenant(call)?, &name, table)?;
        let answer = PutResult {
            app_metadata: rows.to_string().into(),
        };
        Ok(stream::iter([Ok(answer)]).boxed())
    }

    async fn list_actions(&self, _: &CallContext) -> Result<Vec<ActionType>, FlightError> {
        Ok(vec![ActionType {
            r#type: "drop".to_owned(),
            description: "Take the table whose name is the body off the shelf.".to_owned(),
        }])
    }

    async fn do_action(&self, call: &CallContext, action: Action) -> Result<Answers<ActionResult>, FlightError> {
        match action.r#type.as_str() {
            "drop" => self.shelf.drop(tenant(call)?, text(&action.body)?)?,
            other => return Err(FlightError::Unimplemented(format!("There is no action '{other}'."))),
        }
        Ok(stream::empty().boxed())
    }
}

/// Whose shelf it is.
fn tenant(call: &CallContext) -> Result<&str, FlightError> {
    let subject = call.identity().subject.as_deref();
    subject.ok_or_else(|| FlightError::unauthorized("Only tenants have a shelf."))
}

fn text(bytes: &[u8]) -> Result<&str, FlightError> {
    std::str::from_utf8(bytes).map_err(|_| FlightError::bad_argument("It is not UTF-8 text."))
}

/// A table, as `ListFlights` shows it.
fn flight(name: String, table: &Shelved) -> Result<FlightInfo, FlightError> {
    let schema = SchemaMessage::encode(&table.schema).map_err(FunctionError::from)?;
    Ok(FlightInfo {
        schema: schema.encapsulated().clone(),
        flight_descriptor: Some(FlightDescriptor::new_path(vec![name])),
        total_records: i64::try_from(table.rows()).unwrap_or(-1),
        total_bytes: -1,
        ..FlightInfo::default()
    })
}
