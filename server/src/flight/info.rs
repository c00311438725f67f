//! FlightInfo: of the functions there are, and of the results there are.

use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Location, Ticket as FlightTicket};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::Ticket;
use crate::function::RegisteredFunction;
use crate::ipc::SchemaMessage;
use crate::task::Task;

/// A function, as `ListFlights` shows it.
pub(super) fn of_function(function: &RegisteredFunction) -> FlightInfo {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Command<'a> {
        function_name: &'a str,
        metadata: Option<&'a Value>,
    }
    let command = Command {
        function_name: function.name(),
        metadata: function.metadata(),
    };
    let command = serde_json::to_vec(&command).expect("strings and JSON are always JSON");
    flight_info(function.schema_message(), command.into(), Vec::new())
}

/// The result of a task, to be read at a location.
pub(super) fn of_result(task: &Task, schema: &SchemaMessage, location: String) -> FlightInfo {
    let ticket = Ticket {
        task_id: task.id().to_string(),
    };
    let endpoint = FlightEndpoint {
        ticket: Some(FlightTicket {
            ticket: ticket.to_json().into(),
        }),
        location: vec![Location { uri: location }],
        ..FlightEndpoint::default()
    };
    flight_info(schema, task.command().clone(), vec![endpoint])
}

fn flight_info(schema: &SchemaMessage, command: Bytes, endpoint: Vec<FlightEndpoint>) -> FlightInfo {
    FlightInfo {
        schema: schema.encapsulated().clone(),
        flight_descriptor: Some(FlightDescriptor::new_cmd(command)),
        endpoint,
        // Not known before the result is read.
        total_records: -1,
        total_bytes: -1,
        ordered: false,
        app_metadata: Bytes::new(),
    }
}
