//! The methods of a Flight service.

use arrow_flight::{
    Action, ActionType, Criteria, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::stream::BoxStream;

use super::{CallContext, DataStream};
use crate::error::FlightError;

/// What is sent to a client, one message after the other, as fast as it reads. An error is the last message.
pub type Answers<T> = BoxStream<'static, Result<T, FlightError>>;

/// What a client sends, as fast as it is asked for. An error means that the client is gone, or sends what cannot be read.
pub type Uploads<T> = BoxStream<'static, Result<T, FlightError>>;

/// What a Flight service does when it is called, one method for each RPC; those left out answer `UNIMPLEMENTED`.
///
/// One value serves all calls, many at a time. Before a method is called, the server has seen to it that it is ready,
/// and that the caller may call. A method whose client goes away is dropped at its next await; work that shall outlive
/// it belongs into a task ([`crate::task::Tasks::submit`]).
///
/// ```
/// use flexconnect_server::flight::{CallContext, DataStream, FlightMethods};
/// use flexconnect_server::{FlightError, async_trait};
/// use flexconnect_server::arrow_flight::Ticket;
///
/// struct Nothing;
///
/// #[async_trait]
/// impl FlightMethods for Nothing {
///     async fn do_get(&self, call: &CallContext, ticket: Ticket) -> Result<DataStream, FlightError> {
///         let (who, bytes) = (call.peer(), ticket.ticket.len());
///         Err(FlightError::bad_argument(format!("{who:?} has a ticket of {bytes} bytes, and there is nothing.")))
///     }
/// }
/// ```
#[async_trait]
pub trait FlightMethods: Send + Sync + 'static {
    /// Lists the flights there are.
    async fn list_flights(&self, call: &CallContext, criteria: Criteria) -> Result<Answers<FlightInfo>, FlightError> {
        let _ = (call, criteria);
        Err(not_implemented("ListFlights"))
    }

    /// Says where a flight can be read. May take as long as it takes to make it.
    async fn get_flight_info(
        &self,
        call: &CallContext,
        descriptor: FlightDescriptor,
    ) -> Result<FlightInfo, FlightError> {
        let _ = (call, descriptor);
        Err(not_implemented("GetFlightInfo"))
    }

    /// As `get_flight_info`, but answers before a client loses patience: with what there is so far, and the descriptor
    /// to ask again with.
    async fn poll_flight_info(
        &self,
        call: &CallContext,
        descriptor: FlightDescriptor,
    ) -> Result<PollInfo, FlightError> {
        let _ = (call, descriptor);
        Err(not_implemented("PollFlightInfo"))
    }

    /// Tells the columns of a flight, as [`crate::ipc::SchemaMessage::encapsulated`] has them.
    async fn get_schema(&self, call: &CallContext, descriptor: FlightDescriptor) -> Result<SchemaResult, FlightError> {
        let _ = (call, descriptor);
        Err(not_implemented("GetSchema"))
    }

    /// Sends the data of a ticket. [`CallContext::data_of`] does so for the result of a task.
    async fn do_get(&self, call: &CallContext, ticket: Ticket) -> Result<DataStream, FlightError> {
        let _ = (call, ticket);
        Err(not_implemented("DoGet"))
    }

    /// Takes data from a client; the first message has the descriptor and the schema. The data may be read within the
    /// method, or while its answers are sent.
    async fn do_put(&self, call: &CallContext, data: Uploads<FlightData>) -> Result<Answers<PutResult>, FlightError> {
        let _ = (call, data);
        Err(not_implemented("DoPut"))
    }

    /// Takes data from a client and sends data back, both at the same time.
    async fn do_exchange(&self, call: &CallContext, data: Uploads<FlightData>) -> Result<DataStream, FlightError> {
        let _ = (call, data);
        Err(not_implemented("DoExchange"))
    }

    /// Does something that has a name.
    async fn do_action(&self, call: &CallContext, action: Action) -> Result<Answers<ActionResult>, FlightError> {
        let _ = (call, action);
        Err(not_implemented("DoAction"))
    }

    /// Lists what `do_action` does.
    async fn list_actions(&self, call: &CallContext) -> Result<Vec<ActionType>, FlightError> {
        let _ = call;
        Err(not_implemented("ListActions"))
    }

    /// Speaks with a client about who it is. Tokens in headers need no handshake, and are checked before this one too.
    async fn handshake(
        &self,
        call: &CallContext,
        requests: Uploads<HandshakeRequest>,
    ) -> Result<Answers<HandshakeResponse>, FlightError> {
        let _ = (call, requests);
        let message = "This service does not have an authentication mechanism enabled.";
        Err(FlightError::Unimplemented(message.to_owned()))
    }
}

fn not_implemented(method: &str) -> FlightError {
    FlightError::Unimplemented(format!("{method} is not implemented."))
}
