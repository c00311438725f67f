//! FlightInfo: of the functions there are, and of the results there are.

use arrow_flight::{FlightDescriptor, FlightInfo, PollInfo};
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use super::Ticket;
use super::descriptor::retry_descriptor;
use crate::flight::{ServerContext, results};
use crate::function::RegisteredFunction;
use crate::task::{Stored, Task};

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
    FlightInfo {
        schema: function.schema_message().encapsulated().clone(),
        flight_descriptor: Some(FlightDescriptor::new_cmd(command)),
        ..results::unknown_totals()
    }
}

/// The result of a task, to be read here.
pub(super) fn of_result(server: &ServerContext, task: &Task, stored: &Stored) -> FlightInfo {
    let ticket = Ticket {
        task_id: task.id().to_string(),
    };
    results::flight(server, task, stored, Bytes::from(ticket.to_json()))
}

/// The answer to polling for a call that is over.
pub(super) fn of_done(server: &ServerContext, task: &Task, stored: &Stored) -> PollInfo {
    PollInfo {
        info: Some(of_result(server, task, stored)),
        expiration_time: Some(results::moment(server.tasks().expiry(task))),
        ..PollInfo::default()
    }
}

/// The answer to polling for a call that goes on. There is nothing to read yet, but the info names the task, so that
/// clients can cancel it.
pub(super) fn of_pending(task: &Task) -> PollInfo {
    let descriptor = retry_descriptor(task.id());
    PollInfo {
        info: Some(FlightInfo {
            flight_descriptor: Some(descriptor.clone()),
            ..results::unknown_totals()
        }),
        flight_descriptor: Some(descriptor),
        progress: None,
        expiration_time: Some(results::moment(Instant::now() + task.time_left())),
    }
}
