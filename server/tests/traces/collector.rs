//! Collectors that keep what they are sent: OTLP over gRPC and HTTP, and Zipkin.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use prost::Message as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

/// A span, whoever brought it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) trace_id: String,
    pub(crate) id: String,
    pub(crate) parent_id: String,
    pub(crate) failed: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
}

/// All spans, and what was said of where they come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    pub(crate) spans: Vec<Span>,
    pub(crate) resource: BTreeMap<String, String>,
}

/// Collectors of every kind that fill one list.
pub(crate) struct Collector {
    grpc: SocketAddr,
    http: SocketAddr,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub(crate) fn grpc(&self) -> String {
        format!("http://{}", self.grpc)
    }

    pub(crate) fn http(&self) -> String {
        format!("http://{}", self.http)
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().expect("not poisoned").clone()
    }
}

/// Starts the collectors.
pub(crate) async fn start() -> Collector {
    let received = Arc::new(Mutex::new(Received::default()));
    let bind = || async { TcpListener::bind("127.0.0.1:0").await.expect("a port") };
    let (grpc, http) = (bind().await, bind().await);
    let collector = Collector {
        grpc: grpc.local_addr().expect("bound"),
        http: http.local_addr().expect("bound"),
        received: Arc::clone(&received),
    };
    let service = TraceServiceServer::new(Otlp(Arc::clone(&received)));
    tokio::spawn(
        Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(grpc)),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = http.accept().await {
            let received = Arc::clone(&received);
            let service = service_fn(move |request| answer(request, Arc::clone(&received)));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    collector
}

struct Otlp(Arc<Mutex<Received>>);

#[tonic::async_trait]
impl TraceService for Otlp {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        keep(request.into_inner(), &self.0);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn answer(
    request: Request<Incoming>,
    received: Arc<Mutex<Received>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let zipkin = request.uri().path() == "/api/v2/spans";
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    if zipkin {
        keep_zipkin(&serde_json::from_slice(&body).expect("JSON"), &received);
    } else {
        keep(ExportTraceServiceRequest::decode(body).expect("OTLP"), &received);
    }
    Ok(Response::new(Full::default()))
}

fn keep(request: ExportTraceServiceRequest, received: &Mutex<Received>) {
    let mut received = received.lock().expect("not poisoned");
    for of_resource in request.resource_spans {
        received
            .resource
            .extend(attributes(&of_resource.resource.unwrap_or_default().attributes));
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            received.spans.push(Span {
                name: span.name,
                kind: if span.kind == 2 { "server" } else { "internal" }.to_owned(),
                trace_id: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                failed: span.status.is_some_and(|status| status.code == 2),
                attributes: attributes(&span.attributes),
                events: span.events.into_iter().map(|event| event.name).collect(),
            });
        }
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let pairs = pairs
        .iter()
        .filter_map(|pair| match pair.value.as_ref()?.value.as_ref()? {
            Any::StringValue(text) => Some((pair.key.clone(), text.clone())),
            other => Some((pair.key.clone(), format!("{other:?}"))),
        });
    pairs.collect()
}

fn keep_zipkin(spans: &Value, received: &Mutex<Received>) {
    let mut received = received.lock().expect("not poisoned");
    for span in spans.as_array().expect("a list") {
        let tags = texts(&span["tags"]);
        received.resource.extend(tags.clone());
        received.spans.push(Span {
            name: text(&span["name"]),
            kind: if span["kind"] == "SERVER" { "server" } else { "internal" }.to_owned(),
            trace_id: text(&span["traceId"]),
            id: text(&span["id"]),
            parent_id: text(&span["parentId"]),
            failed: tags
                .get("otel.status_code")
                .is_some_and(|code| code.eq_ignore_ascii_case("error")),
            attributes: tags,
            events: Vec::new(),
        });
    }
}

/// The spans that were printed: JSON objects one after the other.
pub(crate) fn from_console(stdout: &str) -> Received {
    let mut received = Received::default();
    for span in serde_json::Deserializer::from_str(stdout).into_iter::<Value>() {
        let span = span.expect("JSON");
        let id = |value: &Value| text(value).trim_start_matches("0x").to_owned();
        received.resource.extend(texts(&span["resource"]["attributes"]));
        received.spans.push(Span {
            name: text(&span["name"]),
            kind: text(&span["kind"]).trim_start_matches("SpanKind.").to_lowercase(),
            trace_id: id(&span["context"]["trace_id"]),
            id: id(&span["context"]["span_id"]),
            parent_id: id(&span["parent_id"]),
            failed: span["status"]["status_code"] == "ERROR",
            attributes: texts(&span["attributes"]),
            events: span["events"]
                .as_array()
                .expect("a list")
                .iter()
                .map(|event| text(&event["name"]))
                .collect(),
        });
    }
    received
}

fn texts(object: &Value) -> BTreeMap<String, String> {
    let pairs = object.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(String::new, str::to_owned)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
