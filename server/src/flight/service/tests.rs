use std::sync::Mutex;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow_flight::decode::FlightRecordBatchStream;
use futures::TryStreamExt as _;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;
use tonic::Code;
use tonic::metadata::MetadataValue;

use super::*;
use crate::error::{ErrorInfo, FlightKind};
use crate::function::testing::{Scripted, numbers, numbers_schema};
use crate::function::{Call, Output};
use crate::task::Limits;

const SECOND: Duration = Duration::from_secs(1);

/// A service with functions for every case, and a location that changes.
struct Kit {
    service: FlexConnectService,
    location: Arc<Mutex<String>>,
}

fn kit() -> Kit {
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
    });
    let settings = Settings {
        polling_interval: SECOND,
        credentials_header: Some("x-token".into()),
    };
    let location = Arc::new(Mutex::new("grpc://one:1".to_owned()));
    let advertised = Arc::clone(&location);
    let service = FlexConnectService::new(
        Arc::new(registry),
        tasks,
        settings,
        Arc::new(move || advertised.lock().expect("not poisoned").clone()),
    );
    Kit { service, location }
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

type DoGet = Messages<FlightData>;

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

// === ListFlights ===

#[tokio::test]
async fn functions_are_listed_in_order() {
    let kit = kit();
    let request = Request::new(Criteria {
        expression: "ignored".into(),
    });
    let flights = kit.service.list_flights(request).await.expect("a list").into_inner();
    let flights: Vec<FlightInfo> = flights.try_collect().await.expect("no error");
    let commands: Vec<_> = flights
        .iter()
        .map(|flight| flight.flight_descriptor.as_ref().expect("a descriptor").cmd.clone())
        .collect();
    assert_eq!(commands[0], r#"{"functionName":"Rows","metadata":{"any":["json",1]}}"#);
    assert_eq!(commands[1], r#"{"functionName":"Sleeps","metadata":null}"#);
    assert_eq!(commands.len(), 5);
    let first = flights[0].clone();
    assert_eq!(first.schema[..4], [0xff; 4]);
    assert!(first.endpoint.is_empty() && first.app_metadata.is_empty() && !first.ordered);
    assert_eq!((first.total_records, first.total_bytes), (-1, -1));
    assert_eq!(first.try_decode_schema().expect("a schema"), *numbers_schema());
}

// === GetFlightInfo and DoGet ===

#[tokio::test]
async fn a_call_is_answered_with_a_ticket_and_the_ticket_with_rows() {
    let kit = kit();
    let command = r#" {"functionName":  "Rows"} "#;
    let info = kit.info(command).await.expect("an answer");
    let descriptor = info.flight_descriptor.as_ref().expect("a descriptor");
    assert_eq!((descriptor.r#type, &descriptor.cmd[..]), (2, command.as_bytes()));
    assert_eq!(info.endpoint.len(), 1);
    assert_eq!(info.endpoint[0].location[0].uri, "grpc://one:1");
    assert_eq!(info.endpoint[0].expiration_time, None);
    assert_eq!(ticket(&info), format!(r#"{{"task_id":"{}"}}"#, task_id(&info)));
    assert_eq!(task_id(&info).len(), 32);
    assert_eq!((info.total_records, info.total_bytes, info.ordered), (-1, -1, false));

    for _ in 0..2 {
        let stream = kit.get(ticket(&info)).await.expect("a stream");
        assert_eq!(rows(stream).await, [numbers(&[1, 2, 3])]);
    }
    let messages: Vec<_> = kit
        .get(ticket(&info))
        .await
        .expect("a stream")
        .try_collect()
        .await
        .expect("rows");
    assert_eq!(messages.len(), 2);
    let schema: Schema = (&messages[0]).try_into().expect("the schema comes first");
    assert_eq!(schema, info.clone().try_decode_schema().expect("the same schema"));
    assert!(messages[0].data_body.is_empty() && messages[0].flight_descriptor.is_none());

    let again = kit.info(command).await.expect("an answer");
    assert_ne!(task_id(&again), task_id(&info), "every call is a task of its own");
}

#[tokio::test]
async fn the_location_is_asked_for_every_answer() {
    let kit = kit();
    *kit.location.lock().expect("not poisoned") = "grpc+tls://two:2".to_owned();
    let info = kit.info(call("Rows", &Value::Null)).await.expect("an answer");
    assert_eq!(info.endpoint[0].location[0].uri, "grpc+tls://two:2");
}

#[rstest]
#[case(
    "",
    "Incorrect FlexConnect function invocation. The invocation payload is not a valid JSON."
)]
#[case(
    "r:1",
    "Incorrect FlexConnect function invocation. The invocation payload is not a valid JSON."
)]
#[case(
    "[]",
    "Incorrect FlexConnect function invocation. The invocation payload is not a JSON object."
)]
#[case(
    "{}",
    "Incorrect FlexConnect function invocation. The invocation payload does not specify 'functionName'."
)]
#[case(r#"{"functionName":"rows"}"#, "Unsupported FlexConnect function 'rows'.")]
#[case(r#"{"functionName":"Fails"}"#, "no such region")]
#[tokio::test]
async fn bad_commands_are_bad_arguments(#[case] command: &'static str, #[case] message: &str) {
    assert_eq!(
        refusal(kit().info(command).await),
        (Code::Unknown, 1, message.to_owned())
    );
}

#[tokio::test]
async fn a_path_has_no_command_and_an_unknown_descriptor_is_invalid() {
    let kit = kit();
    let path = Request::new(FlightDescriptor::new_path(vec!["Rows".into()]));
    assert_eq!(refusal(kit.service.get_flight_info(path).await).1, 1);
    let unknown = Request::new(FlightDescriptor::default());
    let status = kit.service.get_flight_info(unknown).await.expect_err("no type");
    assert_eq!(
        (status.code(), status.message()),
        (Code::InvalidArgument, "Client sent UNKNOWN descriptor type")
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_over_its_deadline_times_out_and_is_cancelled() {
    let kit = kit();
    let (code, number, message) = refusal(kit.info(call("Sleeps", &Value::Null)).await);
    assert_eq!((code, number), (Code::DeadlineExceeded, 100));
    let id = message
        .strip_prefix("GetFlightInfo timed out while waiting for task ")
        .expect("the text");
    let id = id.strip_suffix('.').expect("a full stop");
    let expected = format!("FlexConnect function invocation was cancelled. Invocation task was: '{id}'.");
    sleep(SECOND).await;
    assert_eq!(refusal(kit.get_task(id).await), (Code::Unknown, 6, expected));
}

#[tokio::test]
async fn functions_do_not_see_credentials() {
    let mut request = Request::new(FlightDescriptor::new_cmd(call("Echo", &Value::Null)));
    for name in ["authorization", "x-token", "x-tenant"] {
        request.metadata_mut().insert(name, MetadataValue::from_static("v"));
    }
    let (_, _, message) = refusal(kit().service.get_flight_info(request).await);
    assert_eq!(message, "There was an error while running task: x-tenant");
}

#[rstest]
#[case("", 1, "Incorrect ticket payload. The ticket payload is not a valid JSON.")]
#[case("[]", 1, "Incorrect ticket payload. The ticket payload is not a JSON object.")]
#[case("{}", 1, "Incorrect ticket payload. The ticket payload does not specify 'task_id'.")]
#[case(r#"{"task_id":1}"#, 1, "Incorrect ticket payload. The 'task_id' must be a string.")]
#[case(
    r#"{"task_id":"x"}"#,
    4,
    "Unable to serve data for task 'x'. The task result is not present."
)]
#[tokio::test]
async fn bad_tickets_are_told_apart(#[case] ticket: &'static str, #[case] code: i64, #[case] message: &str) {
    assert_eq!(
        refusal(kit().get(ticket).await),
        (Code::Unknown, code, message.to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_ticket_of_a_running_task_waits_for_it() {
    let kit = kit();
    let id = kit.started(call("Sleeps", &json!({"seconds": 1.5}))).await;
    assert_eq!(rows(kit.get_task(&id).await.expect("a stream")).await, [numbers(&[1])]);

    let id = kit.started(call("Sleeps", &Value::Null)).await;
    let expected = format!("DoGet timed out while waiting for task {id}.");
    assert_eq!(
        refusal(kit.get_task(&id).await),
        (Code::DeadlineExceeded, 100, expected)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_read_once_and_remembered_until_it_expires() {
    let kit = kit();
    let info = kit.info(call("Stream", &Value::Null)).await.expect("an answer");
    assert_eq!(
        rows(kit.get(ticket(&info)).await.expect("a stream")).await,
        [numbers(&[1]), numbers(&[2, 3])]
    );
    let consumed = (
        Code::Unknown,
        8,
        "Result data was already consumed or closed.".to_owned(),
    );
    assert_eq!(refusal(kit.get(ticket(&info)).await), consumed);
    sleep(61 * SECOND).await;
    assert_eq!(refusal(kit.get(ticket(&info)).await).1, 4);
}

#[tokio::test]
async fn a_failure_in_the_middle_keeps_its_error_info() {
    let kit = kit();
    let info = kit
        .info(call("Stream", &json!({"breaks": true})))
        .await
        .expect("an answer");
    let items: Vec<_> = kit.get(ticket(&info)).await.expect("a stream").collect().await;
    assert_eq!(items.len(), 4);
    let status = items[3].as_ref().expect_err("it breaks");
    assert_eq!(facts(status), (Code::Unavailable, 1500, "warehouse gone".to_owned()));
    assert_eq!(status.message(), "warehouse gone. Detail: Unavailable");
}

// === polling ===

#[tokio::test(start_paused = true)]
async fn a_polling_client_gets_the_answer_of_its_first_command() {
    let kit = kit();
    let command = call("Sleeps", &json!({"seconds": 1.5}));
    let id = kit.started(command.clone()).await;
    let info = kit.poll(format!("r:{id}")).await.expect("done");
    assert_eq!(info.flight_descriptor.as_ref().expect("a descriptor").cmd, command);
    assert_eq!(task_id(&info), id);
    assert_eq!(kit.poll(format!("r:{id}")).await.expect("can be asked again"), info);
    assert_eq!(
        rows(kit.get(ticket(&info)).await.expect("a stream")).await,
        [numbers(&[1])]
    );

    kit.poll(call("Rows", &Value::Null)).await.expect("done at once");
    assert_eq!(refusal(kit.poll(call("Fails", &Value::Null)).await).2, "no such region");
}

#[tokio::test(start_paused = true)]
async fn a_polled_call_has_a_deadline_too() {
    let kit = kit();
    let id = kit.started(call("Sleeps", &Value::Null)).await;
    assert_eq!(refusal(kit.poll(format!("r:{id}")).await).1, 65_637);
    let expected = format!("GetFlightInfo timed out while waiting for task {id}.");
    assert_eq!(
        refusal(kit.poll(format!("r:{id}")).await),
        (Code::DeadlineExceeded, 100, expected)
    );
    let expected = format!("FlexConnect function invocation was cancelled. Invocation task was: '{id}'.");
    assert_eq!(refusal(kit.poll(format!("r:{id}")).await), (Code::Unknown, 6, expected));
}

#[tokio::test(start_paused = true)]
async fn cancelling_is_answered_as_cancelled_and_found_as_failed() {
    let kit = kit();
    let cancelled = (
        Code::Cancelled,
        6,
        "FlexConnect function invocation was cancelled.".to_owned(),
    );
    let id = kit.started(call("Sleeps", &Value::Null)).await;
    assert_eq!(refusal(kit.poll(format!("c:{id}")).await), cancelled);
    let found = format!("FlexConnect function invocation was cancelled. Invocation task was: '{id}'.");
    assert_eq!(refusal(kit.poll(format!("r:{id}")).await), (Code::Unknown, 6, found));

    assert_eq!(
        refusal(kit.poll(format!("c:{id}")).await),
        cancelled,
        "what was cancelled is forgotten"
    );
    let missing = format!("Task with id '{id}' does not exist.");
    assert_eq!(refusal(kit.poll(format!("r:{id}")).await), (Code::Unknown, 1, missing));
    assert_eq!(
        refusal(kit.poll(format!("c:{id}")).await),
        cancelled,
        "as is what never was"
    );
    assert_eq!(refusal(kit.get_task(&id).await).1, 4);
}

#[tokio::test]
async fn polling_commands_that_are_none() {
    let kit = kit();
    let message = "Incorrect FlexConnect function invocation. Flight descriptor must contain command with the invocation payload.";
    assert_eq!(refusal(kit.poll("").await), (Code::Unknown, 1, message.to_owned()));
    let status = kit.poll(&b"c:\xff"[..]).await.expect_err("no id");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.details().is_empty());
}

// === the rest ===

#[tokio::test]
async fn what_is_not_implemented_says_so_briefly() {
    let kit = kit();
    let descriptor = || Request::new(FlightDescriptor::new_cmd("x"));
    let statuses = [
        kit.service.get_schema(descriptor()).await.map(|_| ()),
        kit.service.poll_flight_info(descriptor()).await.map(|_| ()),
        kit.service
            .do_action(Request::new(Action::new("x", "")))
            .await
            .map(|_| ()),
        kit.service.list_actions(Request::new(Empty {})).await.map(|_| ()),
    ];
    for status in statuses {
        let status = status.expect_err("not implemented");
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(
            status.message().ends_with(" is not implemented."),
            "{}",
            status.message()
        );
        assert_eq!(
            status.metadata().get("x-arrow-status").map(MetadataValue::as_bytes),
            Some(&b"10"[..])
        );
        assert!(status.details().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_are_answered_with_backpressure_and_the_end_with_shutting_down() {
    let kit = kit();
    let sleeps = call("Sleeps", &Value::Null);
    let calls = (0..14).map(|_| kit.poll(sleeps.clone()));
    let answers = futures::future::join_all(calls).await;
    assert!(answers.into_iter().all(|answer| refusal(answer).1 == 65_637));
    assert_eq!(
        refusal(kit.poll(sleeps.clone()).await),
        (
            Code::Unavailable,
            196_710,
            "Too many calls are waiting. Try again later.".to_owned()
        )
    );
    kit.service.tasks.close();
    assert_eq!(
        refusal(kit.info(sleeps).await),
        (Code::Unavailable, 131_574, "Server is shutting down.".to_owned())
    );
}
