//! The service as a client sees it, without a network.

mod calling;
mod polling;

mod actions;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_server::FlightService as _;
use arrow_flight::{
    Action, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, PollInfo, Ticket as FlightTicket,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};

use super::{FlexConnect, Settings};
use crate::admin::Health;
use crate::config::{AnswerSettings, Tables};
use crate::drain::{Calls, Phase};
use crate::error::{ErrorInfo, FlightKind};
use crate::flight::{Dispatcher, Offered, ServerContext};
use crate::function::fixtures::{Scripted, numbers, numbers_schema};
use crate::function::{Call, FunctionError, Output, Registry};
use crate::task::{Limits, Tasks};
use crate::telemetry::Metrics;

const SECOND: Duration = Duration::from_secs(1);

/// A service with functions for every case, and a location that changes.
struct Kit {
    service: Dispatcher,
    tasks: Tasks,
    answers: AnswerSettings,
    location: Arc<Mutex<String>>,
}

fn kit() -> Kit {
    kit_that_tells(AnswerSettings {
        expiration_time: false,
        exact_totals: false,
        stream_keep_alive: None,
        reflection: false,
        max_request_bytes: None,
    })
}

fn kit_that_tells(answers: AnswerSettings) -> Kit {
    let rows = Scripted::new("Rows", |_| async { Ok(Output::from(numbers(&[1, 2, 3]))) });
    let sleeps = Scripted::new("Sleeps", |call: Call| async move {
        let seconds = call.parameters.get("seconds").and_then(Value::as_f64).unwrap_or(3600.0);
        tokio::select! {
            () = sleep(Duration::from_secs_f64(seconds)) => Ok(Output::from(numbers(&[1]))),
            () = call.cancelled.cancelled() => Err(FunctionError::cancelled()),
        }
    });
    let stream = Scripted::new("Stream", |call: Call| async move {
        let error = FunctionError::flight(
            FlightKind::Unavailable,
            ErrorInfo::new(crate::error::ErrorCode::new(1500), "warehouse gone"),
        );
        let end = call.parameters.contains_key("breaks").then_some(Err(error));
        let batches = [Ok(numbers(&[1])), Ok(numbers(&[2, 3]))].into_iter().chain(end);
        Ok(Output::stream(numbers_schema(), stream::iter(batches)))
    });
    let fails = Scripted::new("Fails", |_| async {
        Err(FunctionError::bad_argument("no such region"))
    });
    let echo = Scripted::new("Echo", |call: Call| async move {
        let seen: Vec<_> = call.headers.iter().map(|(name, _)| name.to_owned()).collect();
        Err(FunctionError::failed(seen.join(",")))
    });
    let registry = Registry::builder()
        .function(rows.with_metadata(json!({"any": ["json", 1]})))
        .function(sleeps)
        .function(stream)
        .function(fails)
        .function(echo)
        .build()
        .expect("good functions");
    let tasks = Tasks::start(Limits {
        threads: 4,
        queue: 10,
        result_ttl: 60 * SECOND,
        call_deadline: 3 * SECOND,
        result_bytes: 1 << 20,
        ..Limits::default()
    });
    let location = Arc::new(Mutex::new("grpc://one:1".to_owned()));
    let advertised = Arc::clone(&location);
    let service = Dispatcher::new(ServerContext::new(Offered {
        tables: Tables::default(),
        location: Arc::new(move || advertised.lock().expect("not poisoned").clone()),
        tasks: tasks.clone(),
        health: Health::new(watch::channel(Phase::Serving).1, Vec::new()),
        metrics: Metrics::new(),
        calls: Calls::default(),
        answers: answers.clone(),
    }));
    let settings = Settings {
        polling_interval: SECOND,
    };
    service.serve(crate::flight::Serving::Methods(Arc::new(FlexConnect::new(
        registry, settings,
    ))));
    Kit {
        service,
        tasks,
        answers,
        location,
    }
}

impl Kit {
    async fn info(&self, command: impl Into<Bytes>) -> Result<FlightInfo, Status> {
        let request = Request::new(FlightDescriptor::new_cmd(command));
        self.service.get_flight_info(request).await.map(Response::into_inner)
    }

    async fn poll(&self, command: impl Into<Bytes>) -> Result<FlightInfo, Status> {
        let mut request = Request::new(FlightDescriptor::new_cmd(command));
        request
            .metadata_mut()
            .insert("x-quiver-pollable", MetadataValue::from_static("false"));
        self.service.get_flight_info(request).await.map(Response::into_inner)
    }

    async fn standard_poll(&self, command: impl Into<Bytes>) -> Result<PollInfo, Status> {
        let request = Request::new(FlightDescriptor::new_cmd(command));
        self.service.poll_flight_info(request).await.map(Response::into_inner)
    }

    async fn act(&self, action: Action) -> Result<Bytes, Status> {
        let results = self.service.do_action(Request::new(action)).await?.into_inner();
        let results: Vec<_> = results.try_collect().await?;
        assert_eq!(results.len(), 1);
        Ok(results[0].body.clone())
    }

    /// Starts a task that is still running when the answer comes; tells its id.
    async fn started(&self, command: impl Into<Bytes>) -> String {
        let status = self.poll(command).await.expect_err("takes longer");
        let info = info_of(&status);
        assert_eq!((status.code(), &info["code"]), (Code::DeadlineExceeded, &json!(65_637)));
        assert_eq!(info["msg"], "Work in progress. Retry.");
        let body = decode(info["body"].as_str().expect("retry info"));
        let body: Value = serde_json::from_slice(&body).expect("retry info is JSON");
        let descriptor = decode(body["retry_descriptor"].as_str().expect("a descriptor"));
        String::from_utf8(descriptor[6..].to_vec()).expect("hexadecimal digits")
    }

    async fn get(&self, ticket: impl Into<Bytes>) -> Result<DoGet, Status> {
        let request = Request::new(FlightTicket { ticket: ticket.into() });
        self.service.do_get(request).await.map(Response::into_inner)
    }

    async fn get_task(&self, id: &str) -> Result<DoGet, Status> {
        self.get(format!(r#"{{"task_id":"{id}"}}"#)).await
    }
}

type DoGet = BoxStream<'static, Result<FlightData, Status>>;

fn decode(base64: &str) -> Vec<u8> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.decode(base64).expect("padded base64")
}

fn call(function: &str, parameters: &Value) -> String {
    json!({"functionName": function, "parameters": parameters}).to_string()
}

fn ticket(info: &FlightInfo) -> Bytes {
    info.endpoint[0].ticket.as_ref().expect("a ticket").ticket.clone()
}

fn task_id(info: &FlightInfo) -> String {
    let ticket: Value = serde_json::from_slice(&ticket(info)).expect("a ticket is JSON");
    ticket["task_id"].as_str().expect("an id").to_owned()
}

fn info_of(status: &Status) -> Value {
    assert_eq!(
        status.metadata().get("x-arrow-status").map(MetadataValue::as_bytes),
        Some(&b"5"[..])
    );
    serde_json::from_slice(status.details()).expect("ErrorInfo is JSON")
}

/// Status, code and message of an error.
fn facts(status: &Status) -> (Code, i64, String) {
    let info = info_of(status);
    (
        status.code(),
        info["code"].as_i64().expect("a code"),
        info["msg"].as_str().expect("a message").to_owned(),
    )
}

fn refusal<T>(answer: Result<T, Status>) -> (Code, i64, String) {
    facts(&answer.map(|_| ()).expect_err("an error"))
}

async fn rows(stream: DoGet) -> Vec<RecordBatch> {
    let stream = stream.map_err(|status| arrow_flight::error::FlightError::Tonic(Box::new(status)));
    FlightRecordBatchStream::new_from_flight_data(stream)
        .try_collect()
        .await
        .expect("rows")
}
