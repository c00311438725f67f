//! FlexConnect: functions called through Arrow Flight.

mod action;
mod answer;
mod command;
mod descriptor;
mod info;
mod invoke;
mod json;
mod ticket;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use arrow_flight::{
    Action, ActionType, Criteria, FlightDescriptor, FlightInfo, PollInfo, Result as ActionResult, SchemaResult,
    Ticket as FlightTicket,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;

pub use command::{CommandError, Invocation};
pub(crate) use descriptor::POLLABLE;
pub use ticket::{Ticket, TicketError};

use super::{Answers, CallContext, DataStream, FlightMethods, results};
use crate::error::FlightError;
use crate::function::Registry;
use crate::telemetry::{RateLimit, spans};
use invoke::{Looked, Patience};

/// How functions are called.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long a polling client waits before it is told to ask again.
    pub polling_interval: Duration,
}

/// The Flight methods of a server that has functions.
#[derive(Debug)]
pub struct FlexConnect {
    registry: ArcSwap<Registry>,
    settings: Settings,
    /// Anybody can call what is refused, so it is not logged without end.
    refusals: RateLimit,
}

/// Refused calls that are logged a second.
const LOGGED_REFUSALS: u32 = 100;

impl FlexConnect {
    /// The methods for these functions.
    #[must_use]
    pub fn new(registry: Registry, settings: Settings) -> Self {
        Self {
            registry: ArcSwap::from_pointee(registry),
            settings,
            refusals: RateLimit::new(LOGGED_REFUSALS),
        }
    }

    /// Serves these functions from now on. Calls that were begun end as they would have.
    pub(crate) fn replace(&self, registry: Registry) {
        self.registry.store(Arc::new(registry));
    }

    /// What the log says of a call that is refused; `None` where it has said enough.
    fn refused(&self, error: &FlightError) -> Option<Refused> {
        let suppressed = self.refusals.admit()?;
        Some(Refused {
            code: error.code().map(|code| code.to_string()),
            suppressed: (suppressed > 0).then_some(suppressed),
        })
    }
}

/// A refused call, for the log.
struct Refused {
    code: Option<String>,
    /// How many others were not logged before.
    suppressed: Option<u64>,
}

#[async_trait]
impl FlightMethods for FlexConnect {
    async fn list_flights(&self, _: &CallContext, _: Criteria) -> Result<Answers<FlightInfo>, FlightError> {
        let functions: Vec<_> = self
            .registry
            .load()
            .iter()
            .map(|function| Ok(info::of_function(function)))
            .collect();
        tracing::info!(available_funs = functions.len(), "list_flights");
        Ok(stream::iter(functions).boxed())
    }

    async fn get_flight_info(
        &self,
        call: &CallContext,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, FlightError> {
        let command = descriptor::command(descriptor)?;
        if !call.has_header(descriptor::POLLABLE) {
            return self.call(call, command).await;
        }
        let patience = Patience::always(self.settings.polling_interval);
        match self.look(call, command, patience, "GetFlightInfo").await? {
            Looked::Done(task, stored) => Ok(info::of_result(call.server(), &task, &stored)),
            Looked::Pending(task) => {
                spans::expected_answer();
                Err(answer::in_progress(task.id()))
            }
        }
    }

    /// The standard's own polling. The first answer comes at once, so that the client can cancel; later ones wait.
    async fn poll_flight_info(
        &self,
        call: &CallContext,
        descriptor: FlightDescriptor,
    ) -> Result<PollInfo, FlightError> {
        let command = descriptor::command(descriptor)?;
        let patience = Patience::grown(self.settings.polling_interval);
        Ok(match self.look(call, command, patience, "PollFlightInfo").await? {
            Looked::Done(task, stored) => info::of_done(call.server(), &task, &stored),
            Looked::Pending(task) => info::of_pending(&task),
        })
    }

    async fn get_schema(&self, _: &CallContext, descriptor: FlightDescriptor) -> Result<SchemaResult, FlightError> {
        let Invocation { function, .. } = Invocation::parse(&descriptor::command(descriptor)?)?;
        let function = self.function(&function)?;
        Ok(SchemaResult {
            schema: function.schema_message().encapsulated().clone(),
        })
    }

    async fn do_get(&self, call: &CallContext, ticket: FlightTicket) -> Result<DataStream, FlightError> {
        let data = open(call, &ticket).await;
        if let Err(error) = &data
            && let Some(Refused { code, suppressed }) = self.refused(error)
        {
            tracing::info!(code, suppressed, exception = %error, "do_get_failed");
        }
        data
    }

    async fn do_action(&self, call: &CallContext, action: Action) -> Result<Answers<ActionResult>, FlightError> {
        let body = action::run(call.server().tasks(), &action)?;
        Ok(stream::iter([Ok(ActionResult { body })]).boxed())
    }

    async fn list_actions(&self, _: &CallContext) -> Result<Vec<ActionType>, FlightError> {
        Ok(action::all())
    }
}

/// The data of a ticket.
async fn open(call: &CallContext, ticket: &FlightTicket) -> Result<DataStream, FlightError> {
    let Ticket { task_id } = Ticket::parse(&ticket.ticket)?;
    results::read(call.server(), &task_id, answer::task_was_cancelled).await
}

#[cfg(test)]
mod tests;
