//! From RPCs to methods: tonic reads the requests, the methods answer, errors become statuses.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::task::{Poll, ready};

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tonic::{Request, Response, Status, Streaming};

use super::contain::{contained, poll_next};
use super::{Answers, CallContext, DataStream, FlightMethods, ServerContext, Uploads, pieces, unreadable};
use crate::error::FlightError;
use crate::ipc::Message;
use crate::worker::Relay;

type Answer<T> = Result<Response<T>, Status>;
type Messages<T> = BoxStream<'static, Result<T, Status>>;

/// Answers the RPCs of Arrow Flight with the methods of a service. Clones answer with the same ones.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    serving: Arc<OnceLock<Serving>>,
    server: ServerContext,
}

/// What answers calls.
pub(crate) enum Serving {
    /// Methods in this process.
    Methods(Arc<dyn FlightMethods>),
    /// Methods in another one: calls are relayed as they are, before anything of them is read.
    Relay(Arc<Relay>),
}

/// A call that began.
struct Begun<'d, T> {
    call: Arc<CallContext>,
    methods: &'d dyn FlightMethods,
    message: T,
}

impl Dispatcher {
    /// Answers `NOT_READY` until there are methods.
    pub(crate) fn new(server: ServerContext) -> Self {
        Self {
            serving: Arc::default(),
            server,
        }
    }

    /// From now on this answers. Only the first counts.
    pub(crate) fn serve(&self, serving: Serving) {
        let _ = self.serving.set(serving);
    }

    /// What relays calls, if they are relayed.
    pub(super) fn relay(&self) -> Option<Arc<Relay>> {
        match self.serving.get()? {
            Serving::Methods(_) => None,
            Serving::Relay(relay) => Some(Arc::clone(relay)),
        }
    }

    /// The data of a ticket. The call is over when it is read, or given up.
    pub(super) async fn data(&self, request: Request<Ticket>) -> Result<DataStream, FlightError> {
        let Begun { call, methods, message } = self.begin(request)?;
        let data = contained(methods.do_get(&call, message)).await?;
        Ok(keep(call, data))
    }

    fn begin<T>(&self, request: Request<T>) -> Result<Begun<'_, T>, FlightError> {
        let methods = match self.serving.get() {
            Some(Serving::Methods(methods)) => methods,
            // Calls that are relayed do not come here.
            Some(Serving::Relay(_)) | None => return Err(FlightError::not_ready()),
        };
        let (metadata, extensions, message) = request.into_parts();
        Ok(Begun {
            call: Arc::new(CallContext::new(metadata, &extensions, self.server.clone())),
            methods: &**methods,
            message,
        })
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

/// The answers of a call that is over when the last one is sent. After an error nothing follows.
fn keep<T: Send + 'static>(call: Arc<CallContext>, answers: Answers<T>) -> Answers<T> {
    let mut open = Some((call, answers));
    stream::poll_fn(move |context| {
        let Some((_, answers)) = &mut open else {
            return Poll::Ready(None);
        };
        let answer = ready!(poll_next(answers, context));
        if !matches!(answer, Some(Ok(_))) {
            open = None;
        }
        Poll::Ready(answer)
    })
    .boxed()
}

/// The answers for tonic.
fn stream<T: Send + 'static>(call: Arc<CallContext>, answers: Answers<T>) -> Response<Messages<T>> {
    let messages = keep(call, answers).map(|answer| answer.map_err(Status::from));
    Response::new(messages.boxed())
}

/// What the client sends, with the errors of our protocol.
fn uploads<T: Send + 'static>(messages: Streaming<T>) -> Uploads<T> {
    messages
        .map(|message| message.map_err(|status| unreadable::error(&status)))
        .boxed()
}

#[async_trait]
impl FlightService for Dispatcher {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoExchangeStream = Messages<FlightData>;
    type DoActionStream = Messages<ActionResult>;
    type ListActionsStream = Messages<ActionType>;

    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        let Begun { call, methods, message } = self.begin(request)?;
        let flights = contained(methods.list_flights(&call, message)).await?;
        Ok(stream(call, flights))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        let Begun { call, methods, message } = self.begin(request)?;
        Ok(Response::new(contained(methods.get_flight_info(&call, message)).await?))
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        let Begun { call, methods, message } = self.begin(request)?;
        Ok(Response::new(
            contained(methods.poll_flight_info(&call, message)).await?,
        ))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        let Begun { call, methods, message } = self.begin(request)?;
        Ok(Response::new(contained(methods.get_schema(&call, message)).await?))
    }

    /// For callers in this process: clients are answered without a copy of the data, by [`super::FlightServer`].
    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let data = self.data(request).await?;
        let data = data.then(contiguous).map(|data| data.map_err(Status::from));
        Ok(Response::new(data.boxed()))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        self.server.tasks().note_call();
        let Begun { call, methods, message } = self.begin(request)?;
        let results = contained(methods.do_put(&call, uploads(message))).await?;
        Ok(stream(call, results))
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        self.server.tasks().note_call();
        let Begun { call, methods, message } = self.begin(request)?;
        let data = contained(methods.do_exchange(&call, uploads(message))).await?;
        Ok(stream(call, data.then(contiguous).boxed()))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        let Begun { call, methods, message } = self.begin(request)?;
        let results = contained(methods.do_action(&call, message)).await?;
        Ok(stream(call, results))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        let Begun { call, methods, .. } = self.begin(request)?;
        let actions = contained(methods.list_actions(&call)).await?;
        Ok(stream(call, stream::iter(actions.into_iter().map(Ok)).boxed()))
    }

    async fn handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Answer<Self::HandshakeStream> {
        let Begun { call, methods, message } = self.begin(request)?;
        let responses = contained(methods.handshake(&call, uploads(message))).await?;
        Ok(stream(call, responses))
    }
}

/// A message as tonic's codec wants it.
async fn contiguous(message: Result<Message, FlightError>) -> Result<FlightData, FlightError> {
    message?
        .into_flight_data()
        .await
        .map_err(|error| pieces::unreadable(&error))
}
