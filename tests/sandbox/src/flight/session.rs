//! The calls to one Flight server: list, ask until the result is there, read it.

use std::time::Duration;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Criteria, FlightDescriptor, FlightInfo, Ticket};
use futures::{StreamExt as _, TryStreamExt as _};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::error::{QueryError, was_not_processed};
use super::error_info::ErrorInfo;
use super::pool::Pool;
use super::route::{Route, Trust};
use super::rows::Rows;
use super::target::Target;

/// Asks for answers that say "not yet"; it is its presence that counts.
const POLLABLE: &str = "x-quiver-pollable";
/// How long giving up a task may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// When a query must be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    limit: Duration,
    end: Instant,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self {
            limit,
            end: Instant::now() + limit,
        }
    }
}

/// A connection to one server, the data source's token, and the time that is left.
pub(crate) struct Session<'a> {
    pool: &'a Pool,
    target: &'a Target,
    trust: &'a Trust,
    authorization: Option<MetadataValue<Ascii>>,
    deadline: Deadline,
    client: FlightServiceClient<Channel>,
}

impl<'a> Session<'a> {
    pub(crate) async fn open(
        pool: &'a Pool,
        target: &'a Target,
        route: &'a Route,
        deadline: Deadline,
    ) -> Result<Self, QueryError> {
        let connection = timeout_at(deadline.end, pool.connection(target, &route.trust)).await;
        let timed_out = |_| QueryError::TimedOut {
            server: target.to_string(),
            limit: deadline.limit,
        };
        // A record batch has no size limit in this protocol.
        let client = FlightServiceClient::new(connection.map_err(timed_out)??).max_decoding_message_size(usize::MAX);
        let authorization = route.token.as_ref().map(bearer).transpose()?;
        Ok(Self {
            pool,
            target,
            trust: &route.trust,
            authorization,
            deadline,
            client,
        })
    }

    /// The functions of the server.
    pub(crate) async fn list(&self) -> Result<Vec<FlightInfo>, QueryError> {
        let listed = repeat_unprocessed(|| async {
            let request = self.request(Criteria::default());
            self.client
                .clone()
                .list_flights(request)
                .await?
                .into_inner()
                .try_collect()
                .await
        });
        self.settle(timeout_at(self.deadline.end, listed).await)
    }

    /// Runs a command until its result is ready, asking again as often as the server wants. When the time is up, the
    /// task is given up with the descriptor that the server gave for it.
    pub(crate) async fn run(&self, command: Vec<u8>) -> Result<FlightInfo, QueryError> {
        let mut descriptor = FlightDescriptor::new_cmd(command);
        let mut cancel = None;
        loop {
            let answer = timeout_at(self.deadline.end, self.flight_info(descriptor)).await;
            match &answer {
                Ok(Err(status)) => {
                    if let Some(retry) = ErrorInfo::of(status).and_then(|info| info.retry()) {
                        descriptor = retry.descriptor;
                        cancel = retry.cancel;
                        continue;
                    }
                }
                Err(_) => {
                    if let Some(cancel) = cancel {
                        // A cancellation always answers an error; that it was sent is all that matters.
                        let _ = timeout(CANCEL_TIMEOUT, self.flight_info(cancel)).await;
                    }
                }
                Ok(Ok(_)) => {}
            }
            return self.settle(answer);
        }
    }

    /// Reads the whole result behind a ticket into `rows`.
    pub(crate) async fn read(&self, ticket: Ticket, rows: &mut Rows) -> Result<(), QueryError> {
        let opened = repeat_unprocessed(|| async { self.client.clone().do_get(self.request(ticket.clone())).await });
        let stream = self.settle(timeout_at(self.deadline.end, opened).await)?.into_inner();
        let mut stream = FlightRecordBatchStream::new_from_flight_data(stream.map_err(FlightError::from));
        loop {
            let next = timeout_at(self.deadline.end, stream.next()).await;
            match next.map_err(|_| self.timed_out())? {
                Some(Ok(batch)) => rows
                    .add(&batch)
                    .map_err(|error| QueryError::garbled(self.target, error))?,
                Some(Err(FlightError::Tonic(status))) => return Err(self.fault(&status)),
                Some(Err(error)) => return Err(QueryError::garbled(self.target, error)),
                None => break,
            }
        }
        match stream.schema() {
            Some(schema) => rows.describe(schema),
            None => return Err(QueryError::garbled(self.target, "the result has no schema")),
        }
        Ok(())
    }

    async fn flight_info(&self, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let asked = repeat_unprocessed(|| async {
            let mut request = self.request(descriptor.clone());
            request
                .metadata_mut()
                .insert(POLLABLE, MetadataValue::from_static("true"));
            self.client.clone().get_flight_info(request).await
        });
        Ok(asked.await?.into_inner())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }

    fn settle<T>(&self, outcome: Result<Result<T, Status>, Elapsed>) -> Result<T, QueryError> {
        outcome
            .map_err(|_| self.timed_out())?
            .map_err(|status| self.fault(&status))
    }

    fn timed_out(&self) -> QueryError {
        QueryError::TimedOut {
            server: self.target.to_string(),
            limit: self.deadline.limit,
        }
    }

    fn fault(&self, status: &Status) -> QueryError {
        let error = QueryError::from_status(self.target, status);
        if error.is_of_connection() {
            self.pool.discard(self.target, self.trust);
        }
        error
    }
}

/// Makes a call, and once more when the first did not get to the server's code.
async fn repeat_unprocessed<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    match call().await {
        Err(status) if was_not_processed(&status) => call().await,
        outcome => outcome,
    }
}

fn bearer(token: &SecretString) -> Result<MetadataValue<Ascii>, QueryError> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.expose_secret())
        .parse()
        .map_err(|_| QueryError::UnsendableToken)?;
    value.set_sensitive(true);
    Ok(value)
}
