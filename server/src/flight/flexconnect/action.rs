//! The actions of the Flight standard that clients end and prolong results with.

use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
    RenewFlightEndpointRequest,
};
use bytes::Bytes;
use prost::Message;

use super::descriptor::Poll;
use super::{Ticket, answer};
use crate::error::FlightError;
use crate::flight::results;
use crate::task::{Cancelled, Tasks};

const CANCEL: &str = "CancelFlightInfo";
const RENEW: &str = "RenewFlightEndpoint";

/// What `ListActions` shows.
pub(super) fn all() -> Vec<ActionType> {
    let action = |name: &str, description: &str| ActionType {
        r#type: name.to_owned(),
        description: description.to_owned(),
    };
    vec![
        action(
            CANCEL,
            "Cancel the call of a FlightInfo that GetFlightInfo or PollFlightInfo returned, and forget its result.",
        ),
        action(
            RENEW,
            "Keep the result of a FlightEndpoint for as long as if the call had ended now.",
        ),
    ]
}

/// Does what an action says; the answer is one message.
pub(super) fn run(tasks: &Tasks, action: &Action) -> Result<Bytes, FlightError> {
    match action.r#type.as_str() {
        CANCEL => cancel(tasks, &read(action)?),
        RENEW => renew(tasks, read(action)?),
        other => Err(FlightError::Unimplemented(format!(
            "The action '{other}' is not implemented."
        ))),
    }
}

/// The message in the body of an action.
fn read<M: Message + Default>(action: &Action) -> Result<M, FlightError> {
    let name = &action.r#type;
    M::decode(action.body.clone())
        .map_err(|_| FlightError::bad_argument(format!("The body of the action is not a {name}Request.")))
}

fn cancel(tasks: &Tasks, request: &CancelFlightInfoRequest) -> Result<Bytes, FlightError> {
    let missing = || FlightError::bad_argument("The CancelFlightInfoRequest does not have the FlightInfo of a call.");
    let id = request.info.as_ref().and_then(task_of).ok_or_else(missing)?;
    let task = tasks.find(&id).ok_or_else(|| answer::no_such_task(&id))?;
    let status = match tasks.cancel(&id) {
        Cancelled::TooLate => CancelStatus::NotCancellable,
        Cancelled::Done if task.is_over() => CancelStatus::Cancelled,
        Cancelled::Done => CancelStatus::Cancelling,
    };
    let result = CancelFlightInfoResult { status: status.into() };
    Ok(result.encode_to_vec().into())
}

fn renew(tasks: &Tasks, request: RenewFlightEndpointRequest) -> Result<Bytes, FlightError> {
    let missing =
        || FlightError::bad_argument("The RenewFlightEndpointRequest does not have an endpoint with a ticket.");
    let mut endpoint = request.endpoint.ok_or_else(missing)?;
    let ticket = endpoint.ticket.as_ref().ok_or_else(missing)?;
    let Ticket { task_id } = Ticket::parse(&ticket.ticket)?;
    let until = tasks.renew(&task_id).ok_or_else(|| results::no_such_result(&task_id))?;
    endpoint.expiration_time = Some(results::moment(until));
    Ok(endpoint.encode_to_vec().into())
}

/// The task that a FlightInfo tells of: by its ticket, or, while there is none yet, by the descriptor to ask again with.
fn task_of(info: &FlightInfo) -> Option<String> {
    let of_ticket = info
        .endpoint
        .first()
        .and_then(|endpoint| endpoint.ticket.as_ref())
        .and_then(|ticket| Ticket::parse(&ticket.ticket).ok())
        .map(|ticket| ticket.task_id);
    of_ticket.or_else(|| match Poll::parse(info.flight_descriptor.as_ref()?.cmd.clone()) {
        Ok(Poll::Retry(id) | Poll::Cancel(id)) => Some(id),
        Ok(Poll::Submit(_)) | Err(_) => None,
    })
}
