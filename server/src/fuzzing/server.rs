//! A whole server without a port, whose clock goes on when everybody waits.

use std::cell::LazyCell;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightService as _;
use arrow_flight::{Action, FlightDescriptor, FlightInfo, Ticket};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::{HeaderName, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message as _;
use tokio::io::{AsyncWriteExt as _, copy, duplex, sink};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};
use tower::{Service, ServiceExt as _};

use super::{fits, fits_as_trailers, requests, tokens};
use crate::admin::Health;
use crate::auth::{Authenticator, EnumeratedTokens};
use crate::config::{AnswerSettings, ConnectionSettings, Tables, TokenHeader};
use crate::drain::{Calls, Phase};
use crate::flight::{self, Dispatcher, FlexConnect, Fork, Offered, ServerContext, Settings};
use crate::function::{Registry, from_fn};
use crate::memory::Budget;
use crate::net;
use crate::task::{Limits, Output, Tasks};
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);

/// What the server lets a call take, and keeps its result for.
const DEADLINE: Duration = Duration::from_secs(3);

/// Longer than anything takes or is kept.
const LONG: Duration = Duration::from_secs(20);

/// Longer than a connection may live whose client is gone.
const VERY_LONG: Duration = Duration::from_hours(1);

/// A request may be so large, compressed or not.
const MAX_REQUEST: usize = 64 * 1024;

/// An input with these digits has the id of a finished task in their place.
const TASK: &[u8] = b"0123456789abcdef0123456789abcdef";

struct World {
    runtime: Runtime,
    dispatcher: Dispatcher,
    tasks: Tasks,
    metrics: Metrics,
    health: Health,
    phases: watch::Receiver<Phase>,
    /// Keeps the phase.
    _phase: watch::Sender<Phase>,
}

thread_local! {
    static WORLD: LazyCell<World> = const { LazyCell::new(World::new) };
}

impl World {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let limits = Limits {
            threads: 2,
            queue: 4,
            result_ttl: DEADLINE,
            call_deadline: DEADLINE,
            cancel_grace: SECOND,
            result_bytes: 1 << 20,
            ..Limits::default()
        };
        let tasks = runtime.block_on(async { Tasks::start(limits) });
        let (phase, phases) = watch::channel(Phase::Serving);
        let metrics = Metrics::new();
        let health = Health::new(phases.clone(), Vec::new());
        let dispatcher = Dispatcher::new(ServerContext::new(Offered {
            tables: Tables::default(),
            location: Arc::new(|| "grpc://localhost:17001".to_owned()),
            tasks: tasks.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
            calls: Calls::default(),
            answers: AnswerSettings {
                expiration_time: true,
                exact_totals: true,
                stream_keep_alive: Some(SECOND),
                reflection: true,
                max_request_bytes: None,
            },
        }));
        let settings = Settings {
            polling_interval: SECOND,
        };
        dispatcher.serve(crate::flight::Serving::Methods(Arc::new(FlexConnect::new(
            functions(),
            settings,
        ))));
        Self {
            runtime,
            dispatcher,
            tasks,
            metrics,
            health,
            phases,
            _phase: phase,
        }
    }

    /// Lets a client do something. When it is done, nothing is left of it after a while.
    fn play(&self, client: impl Future<Output = ()>) {
        self.runtime.block_on(async {
            client.await;
            sleep(LONG).await;
            assert!(
                self.tasks.load().is_idle(),
                "something goes on: {:?}",
                self.tasks.load()
            );
        });
    }

    /// The input, with the id of a task in it if it wants one.
    async fn with_task(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let place = bytes.windows(TASK.len()).position(|window| window == TASK);
        if let Some(place) = place {
            let ticket = first_ticket(&self.info(br#"{"functionName":"Sales"}"#).await.expect("a result"));
            let id: serde_json::Value = serde_json::from_slice(&ticket).expect("a ticket is JSON");
            let id = id["task_id"].as_str().expect("an id");
            bytes[place..place + TASK.len()].copy_from_slice(id.as_bytes());
        }
        bytes
    }

    async fn info(&self, command: &[u8]) -> Result<FlightInfo, Status> {
        let descriptor = FlightDescriptor::new_cmd(command.to_vec());
        Ok(self
            .dispatcher
            .get_flight_info(Request::new(descriptor))
            .await?
            .into_inner())
    }

    async fn call(&self, method: u8, payload: Vec<u8>) -> Result<(), Status> {
        let command = || FlightDescriptor::new_cmd(payload.clone());
        let server = &self.dispatcher;
        match method % 8 {
            0 => {
                let info = self.info(&payload).await?;
                self.get(first_ticket(&info)).await?;
            }
            1 => {
                let mut request = Request::new(command());
                request
                    .metadata_mut()
                    .insert("x-quiver-pollable", MetadataValue::from_static("true"));
                server.get_flight_info(request).await?;
            }
            2 => drop(server.poll_flight_info(Request::new(command())).await?),
            3 => drop(server.get_schema(Request::new(command())).await?),
            4 => self.get(payload.into()).await?,
            5 => self.act("CancelFlightInfo", payload).await?,
            6 => self.act("RenewFlightEndpoint", payload).await?,
            _ => {
                if let Ok(descriptor) = FlightDescriptor::decode(&payload[..]) {
                    server.poll_flight_info(Request::new(descriptor)).await?;
                }
            }
        }
        Ok(())
    }

    async fn get(&self, ticket: Bytes) -> Result<(), Status> {
        let mut data = self
            .dispatcher
            .do_get(Request::new(Ticket { ticket }))
            .await?
            .into_inner();
        while data.next().await.transpose()?.is_some() {}
        Ok(())
    }

    async fn act(&self, name: &str, body: Vec<u8>) -> Result<(), Status> {
        let action = Action::new(name, body);
        let mut results = self.dispatcher.do_action(Request::new(action)).await?.into_inner();
        while results.next().await.transpose()?.is_some() {}
        Ok(())
    }

    /// Everything that answers on the Flight port.
    fn service<B>(
        &self,
    ) -> impl Service<http::Request<B>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        let authenticator = Authenticator::asking(EnumeratedTokens::new(&["good".into()]), TokenHeader::Bearer);
        let flight =
            flight::service(self.dispatcher.clone(), MAX_REQUEST, Budget::new(MAX_REQUEST), true).expect("reflection");
        Fork {
            prefix: flight::HEALTH,
            matching: Some(flight::health(self.health.clone(), self.phases.clone())),
            others: net::stack::stack(
                flight,
                self.phases.clone(),
                authenticator,
                self.metrics.clone(),
                Arc::new(String::new),
            ),
        }
    }
}

/// A function that returns a table, and one that is slow and streams.
fn functions() -> Registry {
    let sales = from_fn(
        "Sales",
        requests::columns(),
        |call| async move { requests::sales(&call) },
    );
    let slow = from_fn("Slow", requests::columns(), |call| async move {
        sleep(2 * SECOND).await;
        let output = requests::sales(&call)?;
        Ok(Output::stream(output.schema().clone(), output.into_batches()))
    });
    Registry::builder()
        .function(sales)
        .function(slow)
        .build()
        .expect("good functions")
}

fn first_ticket(info: &FlightInfo) -> Bytes {
    let ticket = info.endpoint.first().and_then(|endpoint| endpoint.ticket.as_ref());
    ticket.expect("the ticket of a result").ticket.clone()
}

/// A call of a method, which the first byte chooses: the rest is a command, a ticket, a descriptor, or the body of an
/// action.
pub fn call(bytes: &[u8]) {
    let Some((method, payload)) = bytes.split_first() else {
        return;
    };
    WORLD.with(|world| {
        world.play(async {
            let payload = world.with_task(payload).await;
            if let Err(status) = world.call(*method, payload).await {
                fits(status);
            }
        });
    });
}

/// A request: a line with its path, its headers, an empty line, and its body, which comes in pieces.
pub fn request(bytes: &[u8]) {
    let end = bytes
        .windows(2)
        .position(|window| window == b"\n\n")
        .unwrap_or(bytes.len());
    let (head, body) = bytes.split_at(end);
    let (path, headers) = head.split_at(head.iter().position(|byte| *byte == b'\n').unwrap_or(end));
    let Ok(mut request) = http::Request::post(path).body(()) else {
        return;
    };
    *request.headers_mut() = tokens::parse(headers, |_| HeaderName::from_static("x-any"));
    for (name, value) in [("content-type", "application/grpc"), ("authorization", "Bearer good")] {
        let name = HeaderName::from_static(name);
        request
            .headers_mut()
            .entry(name)
            .or_insert(value.parse().expect("a header"));
    }
    let body = body.get(2..).unwrap_or_default();
    WORLD.with(|world| {
        world.play(async {
            let body = world.with_task(body).await;
            let size = 1 + body.len() % 251;
            let pieces: Vec<_> = body.chunks(size).map(Bytes::copy_from_slice).collect();
            let pieces = stream::iter(pieces).map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
            let response = world.service().oneshot(request.map(|()| StreamBody::new(pieces))).await;
            let (answer, body) = response.unwrap_or_else(|never| match never {}).into_parts();
            // A watch of the health service ends when its client goes.
            if let Ok(body) = timeout(LONG, body.collect()).await {
                let body = body.expect("an error is in the trailers");
                let trailers = body.trailers().unwrap_or(&answer.headers);
                assert!(
                    Status::from_header_map(trailers).is_some(),
                    "an answer without a status"
                );
                fits_as_trailers(trailers);
            }
        });
    });
}

/// All bytes of a connection. The server is done with it soon after its client is.
pub fn connection(bytes: &[u8]) {
    let settings = ConnectionSettings {
        max: 1,
        max_age: None,
        max_age_grace: None,
        keep_alive_interval: None,
        keep_alive_timeout: LONG,
        handshake_timeout: LONG,
        max_header_bytes: 16 * 1024,
        max_concurrent_streams: 16,
        stalled_client_timeout: Some(LONG),
    };
    WORLD.with(|world| {
        world.play(async {
            let (client, accepted) = duplex(MAX_REQUEST);
            let phases = world.phases.clone();
            let served = net::fuzz_connection(accepted, world.service(), settings, &world.metrics, phases);
            let spoken = async {
                let (mut answers, mut requests) = tokio::io::split(client);
                let mut nowhere = sink();
                // The server may hang up on what it does not like.
                let _ = tokio::join!(
                    async {
                        requests.write_all(bytes).await?;
                        requests.shutdown().await
                    },
                    copy(&mut answers, &mut nowhere),
                );
            };
            let over = timeout(VERY_LONG, async { tokio::join!(served, spoken) }).await;
            assert!(over.is_ok(), "a connection that outlives its client");
        });
    });
}
