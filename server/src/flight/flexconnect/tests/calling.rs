//! Listing, calling, reading.

use arrow::datatypes::Schema;
use rstest::rstest;

use super::*;

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
async fn functions_see_the_headers_of_the_call() {
    let mut request = Request::new(FlightDescriptor::new_cmd(call("Echo", &Value::Null)));
    for name in ["grpc-timeout", "x-tenant"] {
        request.metadata_mut().insert(name, MetadataValue::from_static("v"));
    }
    let (_, _, message) = refusal(kit().service.get_flight_info(request).await);
    assert_eq!(message, "There was an error while running task: x-tenant");
}

#[tokio::test]
async fn a_function_tells_its_columns_without_being_called() {
    let kit = kit();
    let schema = async |descriptor| {
        let answer = kit.service.get_schema(Request::new(descriptor)).await?;
        Ok::<_, Status>(answer.into_inner())
    };
    let columns = schema(FlightDescriptor::new_cmd(call("Fails", &json!({"any": 1}))))
        .await
        .expect("columns");
    let columns = Schema::try_from(columns).expect("a schema");
    assert_eq!(columns, *numbers_schema());
    assert_eq!(kit.tasks.load().last_call, None, "nothing was called");

    let unknown = schema(FlightDescriptor::new_cmd(call("rows", &Value::Null))).await;
    let message = "Unsupported FlexConnect function 'rows'.".to_owned();
    assert_eq!(refusal(unknown), (Code::Unknown, 1, message));
    let path = schema(FlightDescriptor::new_path(vec!["Rows".into()])).await;
    let message = "Incorrect FlexConnect function invocation. The invocation payload is not a valid JSON.".to_owned();
    assert_eq!(refusal(path), (Code::Unknown, 1, message));
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

#[tokio::test(start_paused = true)]
async fn a_call_whose_client_goes_away_is_cancelled_and_a_polled_one_is_not() {
    let kit = kit();
    let start = tokio::time::Instant::now();
    let polled = kit
        .started(r#"{"functionName":"Sleeps","parameters":{"seconds":2}}"#)
        .await;
    let call = kit.info(r#"{"functionName":"Sleeps","parameters":{"seconds":2.5}}"#);
    tokio::time::timeout(SECOND / 2, call)
        .await
        .expect_err("the client is gone by then");
    let info = kit.poll(format!("r:{polled}")).await.expect("a result");
    let stream = kit.get(ticket(&info)).await.expect("a stream");
    assert_eq!(rows(stream).await, [numbers(&[1])]);
    kit.tasks.idle().await;
    assert!(start.elapsed() < 3 * SECOND, "the second call would end after 3.5 s");
}
