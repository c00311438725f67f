//! A small Flight server that does what a test tells it to, on a runtime of its own so that it can be killed.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};

/// What the server does.
#[derive(Clone, Default)]
pub(crate) struct Script {
    /// The only token that is accepted; without it nothing is checked.
    pub(crate) token: Option<String>,
    /// How many times a command is put off before its result is ready; `usize::MAX` is for ever.
    pub(crate) polls: usize,
    pub(crate) answer: Answer,
    /// Where it says that its rows are; its own URL unless set.
    pub(crate) location: Option<String>,
    pub(crate) tls: Option<Identity>,
}

#[derive(Clone, Default)]
pub(crate) enum Answer {
    /// One row that says which server it comes from.
    #[default]
    Rows,
    /// An error as FlexConnect servers send it.
    Refuse(Code, u32, &'static str),
    /// Never answers.
    Hang,
    /// A `FlightInfo` that leads nowhere.
    NoEndpoint,
}

/// A call as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) command: String,
    pub(crate) metadata: MetadataMap,
}

/// A running server.
pub(crate) struct Flight {
    runtime: Option<Runtime>,
    address: std::net::SocketAddr,
    tls: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Flight {
    pub(crate) fn start(script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let tls = script.tls.clone();
        let scheme = if tls.is_some() { "grpc+tls" } else { "grpc" };
        let service = Service {
            script,
            url: format!("{scheme}://{address}"),
            seen: Arc::clone(&seen),
        };
        let mut server = Server::builder();
        if let Some(identity) = tls.clone() {
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).unwrap();
        }
        runtime.spawn(async move {
            let incoming = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
            server
                .add_service(FlightServiceServer::new(service))
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self {
            runtime: Some(runtime),
            address,
            tls: tls.is_some(),
            seen,
        }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "grpc+tls" } else { "grpc" };
        format!("{scheme}://{}", self.address)
    }

    /// The calls of `GetFlightInfo` so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Ends the server as SIGKILL does: connections break, the port is closed. Returns when that is so.
    pub(crate) fn kill(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        runtime.shutdown_background();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < deadline, "the server's port stays open");
            std::thread::yield_now();
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A certificate authority of one's own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A server certificate for this machine's address.
    pub(crate) fn identity(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        Identity::from_pem(params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }
}

struct Service {
    script: Script,
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Service {
    fn batch(&self) -> RecordBatch {
        let column: ArrayRef = Arc::new(StringArray::from(vec![self.url.as_str()]));
        RecordBatch::try_from_iter([("server", column)]).unwrap()
    }

    fn authenticate(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let Some(token) = &self.script.token else { return Ok(()) };
        let sent = metadata.get("authorization").and_then(|value| value.to_str().ok());
        if sent == Some(&format!("Bearer {token}")) {
            return Ok(());
        }
        let mut status = Status::unauthenticated("Authentication token is not valid.. Detail: Unauthenticated");
        status.metadata_mut().insert("x-arrow-status", "5".parse().unwrap());
        Err(status)
    }

    fn info(&self) -> FlightInfo {
        let location = self.script.location.clone().unwrap_or_else(|| self.url.clone());
        let endpoint = FlightEndpoint::new()
            .with_ticket(Ticket::new("ticket"))
            .with_location(location);
        FlightInfo::new()
            .try_with_schema(&self.batch().schema())
            .unwrap()
            .with_endpoint(endpoint)
    }
}

/// An error with the trailers that clients of FlexConnect look at.
fn refusal(code: Code, number: u32, text: &str, body: Option<&Value>) -> Status {
    let body = body.map(|body| BASE64_STANDARD.encode(body.to_string()));
    let info = json!({ "msg": text, "detail": null, "code": number, "body": body });
    let mut status = Status::with_details(code, format!("{text}. Detail: Failed"), info.to_string().into());
    status.metadata_mut().insert("x-arrow-status", "5".parse().unwrap());
    status
}

/// What can only be sent back, not made up: any bytes do.
fn opaque(command: &str) -> String {
    BASE64_STANDARD.encode(FlightDescriptor::new_cmd(command.to_owned()).encode_to_vec())
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.authenticate(request.metadata())?;
        let command = json!({ "functionName": "WhereAmI", "metadata": null }).to_string();
        let info = FlightInfo::new().try_with_schema(&self.batch().schema()).unwrap();
        let info = info.with_descriptor(FlightDescriptor::new_cmd(command));
        Ok(Response::new(stream::iter([Ok(info)]).boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let (metadata, _, descriptor) = request.into_parts();
        let command = String::from_utf8(descriptor.cmd.to_vec()).unwrap();
        let polled = command
            .strip_prefix("again-")
            .map_or(0, |number| number.parse().unwrap());
        self.seen.lock().unwrap().push(Seen {
            command: command.clone(),
            metadata: metadata.clone(),
        });
        self.authenticate(&metadata)?;
        if command == "cancel" {
            return Err(refusal(
                Code::Cancelled,
                6,
                "FlexConnect function invocation was cancelled.",
                None,
            ));
        }
        if polled < self.script.polls {
            // As a server does, this waits a little in place of the client.
            tokio::time::sleep(Duration::from_millis(5)).await;
            let again = opaque(&format!("again-{}", polled + 1));
            let body = json!({ "flight_info": null, "retry_descriptor": again, "cancel_descriptor": opaque("cancel") });
            return Err(refusal(
                Code::DeadlineExceeded,
                65637,
                "Work in progress. Retry.",
                Some(&body),
            ));
        }
        match self.script.answer {
            Answer::Rows => Ok(Response::new(self.info())),
            Answer::NoEndpoint => Ok(Response::new(FlightInfo::new())),
            Answer::Refuse(code, number, text) => Err(refusal(code, number, text, None)),
            Answer::Hang => std::future::pending().await,
        }
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        self.authenticate(request.metadata())?;
        assert_eq!(request.get_ref().ticket, "ticket");
        let batches = stream::iter([Ok(self.batch())]);
        let data = FlightDataEncoderBuilder::new().build(batches).map_err(Status::from);
        Ok(Response::new(data.boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented("handshake"))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented("poll_flight_info"))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented("get_schema"))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(Status::unimplemented("do_put"))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(Status::unimplemented("do_action"))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(Status::unimplemented("list_actions"))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("do_exchange"))
    }
}
