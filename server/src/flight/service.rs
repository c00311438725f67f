//! The RPC methods.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket as FlightTicket,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::descriptor::{self, Poll};
use super::{DataStream, Invocation, Ticket, answer, info};
use crate::error::FlightError;
use crate::function::{Call, FunctionCall, Headers, Registry};
use crate::task::{CallEnding, Cancelled, FunctionError, Outcome, Submission, Task, TaskId, Tasks, Waited};

/// Tells where clients shall read results: `grpc://HOST:PORT` or `grpc+tls://HOST:PORT`. Asked for every FlightInfo.
pub type Location = Arc<dyn Fn() -> String + Send + Sync>;

/// How calls are answered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a polling client waits before it is told to ask again.
    pub polling_interval: Duration,
}

/// FlexConnect over Arrow Flight.
pub struct FlexConnectService {
    registry: Arc<Registry>,
    tasks: Tasks,
    settings: Settings,
    location: Location,
}

type Answer<T> = Result<Response<T>, Status>;
type Messages<T> = BoxStream<'static, Result<T, Status>>;

impl FlexConnectService {
    /// A service of these functions.
    #[must_use]
    pub fn new(registry: Arc<Registry>, tasks: Tasks, settings: Settings, location: Location) -> Self {
        Self {
            registry,
            tasks,
            settings,
            location,
        }
    }

    /// Calls a function and waits for its end. A client that goes away before it was told the task's id can never come
    /// back for the result: then the task is cancelled.
    async fn call(&self, command: Bytes, metadata: &MetadataMap) -> Result<FlightInfo, FlightError> {
        let task = self.submit(command, metadata)?;
        let caller = self.tasks.cancel_on_drop(&task);
        let waited = task.wait(task.time_left()).await;
        caller.stays();
        match waited {
            Waited::Ended(outcome) => self.result(&task, outcome),
            Waited::TimedOut | Waited::Pending => Err(answer::timed_out("GetFlightInfo", task.id())),
        }
    }

    /// Calls a function, or looks after an earlier call.
    async fn poll(&self, command: Bytes, metadata: &MetadataMap) -> Result<FlightInfo, FlightError> {
        let task = match Poll::parse(command)? {
            Poll::Submit(command) => self.submit(command, metadata)?,
            Poll::Retry(id) => self.tasks.find(&id).ok_or_else(|| answer::no_such_task(&id))?,
            Poll::Cancel(id) => {
                return Err(match self.tasks.cancel(&id) {
                    Cancelled::Done => answer::cancelled(),
                    Cancelled::TooLate => answer::cancel_not_possible(),
                });
            }
        };
        match task.wait(self.settings.polling_interval).await {
            Waited::Ended(outcome) => self.result(&task, outcome),
            Waited::TimedOut => Err(answer::timed_out("GetFlightInfo", task.id())),
            Waited::Pending => Err(answer::in_progress(task.id())),
        }
    }

    fn submit(&self, command: Bytes, metadata: &MetadataMap) -> Result<Arc<Task>, FlightError> {
        let submitted = self.try_submit(command, metadata);
        if let Err(error) = &submitted {
            tracing::info!(code = error.code().map(|code| code.to_string()), exception = %error, "flexconnect_fun_submit_failed");
        }
        submitted
    }

    fn try_submit(&self, command: Bytes, metadata: &MetadataMap) -> Result<Arc<Task>, FlightError> {
        let Invocation {
            function,
            parameters,
            columns,
        } = Invocation::parse(&command)?;
        let function = self
            .registry
            .get(&function)
            .ok_or_else(|| answer::unknown_function(&function))?;
        let call = Call {
            columns,
            headers: Headers::from_metadata(metadata),
            ..Call::new(parameters)
        };
        let submission = Submission {
            work: Arc::new(FunctionCall::new(Arc::clone(function), call)),
            command,
            deadline: None,
        };
        self.tasks.submit(submission).map_err(answer::refused)
    }

    fn result(&self, task: &Task, outcome: Outcome) -> Result<FlightInfo, FlightError> {
        match outcome {
            Outcome::Succeeded(stored) => Ok(info::of_result(task, stored.schema(), (self.location)())),
            Outcome::Failed(error) => Err(error),
            Outcome::Cancelled => Err(answer::task_was_cancelled(task.id())),
        }
    }

    /// Reads the result of a task, once it is there.
    pub(super) async fn read(&self, ticket: &[u8]) -> Result<DataStream, FlightError> {
        let Ticket { task_id } = Ticket::parse(ticket)?;
        let task = self
            .tasks
            .find(&task_id)
            .ok_or_else(|| answer::no_such_result(&task_id))?;
        let stored = match task.wait(task.time_left()).await {
            Waited::Ended(Outcome::Succeeded(stored)) => stored,
            Waited::Ended(Outcome::Failed(error)) => return Err(error),
            Waited::Ended(Outcome::Cancelled) => return Err(answer::task_was_cancelled(task.id())),
            Waited::TimedOut | Waited::Pending => return Err(answer::timed_out("DoGet", task.id())),
        };
        let id = task.id();
        let reading = self.tasks.read(&task, stored).map_err(|_| answer::consumed())?;
        Ok(reading
            .map(move |message| message.map_err(|error| broken_off(id, error)))
            .boxed())
    }
}

/// The end of a stream whose function failed while it was read.
fn broken_off(task: TaskId, error: FunctionError) -> FlightError {
    tracing::error!(task_id = %task, exception = %error, "do_get_failed");
    match error.into_ending() {
        CallEnding::Failed(error) => error,
        CallEnding::Cancelled => answer::task_was_cancelled(task),
    }
}

fn not_implemented<T>(method: &str) -> Answer<T> {
    Err(FlightError::Unimplemented(format!("{method} is not implemented.")).into())
}

#[async_trait]
impl FlightService for FlexConnectService {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoExchangeStream = Messages<FlightData>;
    type DoActionStream = Messages<ActionResult>;
    type ListActionsStream = Messages<ActionType>;

    async fn list_flights(&self, _: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        let functions: Vec<_> = self
            .registry
            .iter()
            .map(|function| Ok(info::of_function(function)))
            .collect();
        tracing::info!(available_funs = functions.len(), "list_flights");
        Ok(Response::new(stream::iter(functions).boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let (metadata, _, descriptor) = request.into_parts();
        let command = descriptor::command(descriptor)?;
        let info = if descriptor::is_pollable(&metadata) {
            self.poll(command, &metadata).await?
        } else {
            self.call(command, &metadata).await?
        };
        Ok(Response::new(info))
    }

    /// For callers in this process: [`FlightServer`](super::FlightServer) answers clients without copying.
    async fn do_get(&self, request: Request<FlightTicket>) -> Answer<Self::DoGetStream> {
        let messages = self.read(&request.into_inner().ticket).await?;
        let messages = messages.map(|message| message.map(FlightData::from).map_err(Status::from));
        Ok(Response::new(messages.boxed()))
    }

    async fn handshake(&self, _: Request<Streaming<HandshakeRequest>>) -> Answer<Self::HandshakeStream> {
        let message = "This service does not have an authentication mechanism enabled.";
        Err(FlightError::Unimplemented(message.to_owned()).into())
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<PollInfo> {
        not_implemented("PollFlightInfo")
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        not_implemented("GetSchema")
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        not_implemented("DoPut")
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        not_implemented("DoExchange")
    }

    async fn do_action(&self, _: Request<Action>) -> Answer<Self::DoActionStream> {
        not_implemented("DoAction")
    }

    async fn list_actions(&self, _: Request<Empty>) -> Answer<Self::ListActionsStream> {
        not_implemented("ListActions")
    }
}

#[cfg(test)]
mod tests;
