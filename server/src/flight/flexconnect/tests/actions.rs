//! The standard's actions.

use arrow_flight::{
    CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightEndpoint, RenewFlightEndpointRequest,
};
use prost::Message as _;
use rstest::rstest;

use super::*;

fn cancel(info: FlightInfo) -> Action {
    Action::new(
        "CancelFlightInfo",
        CancelFlightInfoRequest { info: Some(info) }.encode_to_vec(),
    )
}

fn status(answer: Bytes) -> CancelStatus {
    CancelFlightInfoResult::decode(answer).expect("a result").status()
}

#[tokio::test]
async fn actions_are_listed() {
    let listed = kit()
        .service
        .list_actions(Request::new(Empty {}))
        .await
        .expect("a list")
        .into_inner();
    let listed: Vec<_> = listed.try_collect().await.expect("no error");
    let names: Vec<_> = listed.iter().map(|action| action.r#type.as_str()).collect();
    assert_eq!(names, ["CancelFlightInfo", "RenewFlightEndpoint"]);
    assert!(listed.iter().all(|action| !action.description.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_runs_is_cancelled_by_what_polling_returned() {
    let kit = kit();
    let polled = kit
        .standard_poll(call("Sleeps", &Value::Null))
        .await
        .expect("an answer");
    let info = polled.info.expect("it names the task");
    assert_eq!(
        status(kit.act(cancel(info.clone())).await.expect("done")),
        CancelStatus::Cancelling
    );
    kit.tasks.idle().await;
    let again = kit
        .standard_poll(polled.flight_descriptor.expect("it went on").cmd)
        .await;
    assert_eq!(refusal(again).1, 6);
    assert_eq!(
        status(kit.act(cancel(info.clone())).await.expect("done")),
        CancelStatus::Cancelled
    );
    assert_eq!(refusal(kit.act(cancel(info)).await).1, 1, "it is forgotten now");
}

#[tokio::test]
async fn a_result_is_forgotten_when_its_flight_is_cancelled() {
    let kit = kit();
    let info = kit.info(call("Rows", &Value::Null)).await.expect("an answer");
    assert_eq!(
        status(kit.act(cancel(info.clone())).await.expect("done")),
        CancelStatus::Cancelled
    );
    assert_eq!(refusal(kit.get(ticket(&info)).await).1, 4);
    let message = format!("Task with id '{}' does not exist.", task_id(&info));
    assert_eq!(refusal(kit.act(cancel(info)).await), (Code::Unknown, 1, message));
}

fn renew(endpoint: FlightEndpoint) -> Action {
    let request = RenewFlightEndpointRequest {
        endpoint: Some(endpoint),
    };
    Action::new("RenewFlightEndpoint", request.encode_to_vec())
}

#[tokio::test(start_paused = true)]
async fn a_result_that_is_renewed_stays_and_others_go() {
    let kit = kit();
    let renewed = kit.info(call("Rows", &Value::Null)).await.expect("an answer");
    let left = kit.info(call("Rows", &Value::Null)).await.expect("an answer");
    for _ in 0..3 {
        sleep(40 * SECOND).await;
        let endpoint = renewed.endpoint[0].clone();
        let endpoint = FlightEndpoint::decode(kit.act(renew(endpoint)).await.expect("kept")).expect("an endpoint");
        assert_eq!(endpoint.ticket, renewed.endpoint[0].ticket);
        let until = std::time::SystemTime::try_from(endpoint.expiration_time.expect("told")).expect("a time");
        let kept = until.duration_since(std::time::SystemTime::now()).expect("to come");
        assert!(kept > 59 * SECOND && kept <= 60 * SECOND, "{kept:?}");
    }
    assert_eq!(refusal(kit.get(ticket(&left)).await).1, 4);
    assert_eq!(
        rows(kit.get(ticket(&renewed)).await.expect("a stream")).await,
        [numbers(&[1, 2, 3])]
    );
    sleep(61 * SECOND).await;
    assert_eq!(refusal(kit.get(ticket(&renewed)).await).1, 4);
    assert_eq!(refusal(kit.act(renew(renewed.endpoint[0].clone())).await).1, 4);
}

#[tokio::test(start_paused = true)]
async fn results_tell_when_they_expire_and_what_they_are_if_asked_for() {
    let mut answers = kit().answers;
    assert!(!answers.expiration_time && !answers.exact_totals);
    (answers.expiration_time, answers.exact_totals) = (true, true);
    let kit = kit_that_tells(answers);
    let stream = kit.info(call("Stream", &Value::Null)).await.expect("an answer");
    assert_eq!((stream.total_records, stream.total_bytes), (-1, -1), "nobody knows yet");
    let info = kit.info(call("Rows", &Value::Null)).await.expect("an answer");
    assert_eq!(info.total_records, 3);
    assert!(info.total_bytes > 24, "{}", info.total_bytes);
    let until = std::time::SystemTime::try_from(info.endpoint[0].expiration_time.expect("told")).expect("a time");
    let kept = until.duration_since(std::time::SystemTime::now()).expect("to come");
    assert!(kept > 59 * SECOND && kept <= 60 * SECOND, "{kept:?}");
}

#[rstest]
#[case::no_endpoint(
    Action::new("RenewFlightEndpoint", ""),
    "The RenewFlightEndpointRequest does not have an endpoint with a ticket."
)]
#[case::no_message(Action::new("CancelFlightInfo", &b"\xff"[..]), "The body of the action is not a CancelFlightInfoRequest.")]
#[case::no_flight(
    Action::new("CancelFlightInfo", ""),
    "The CancelFlightInfoRequest does not have the FlightInfo of a call."
)]
#[case::no_call(
    cancel(FlightInfo::default()),
    "The CancelFlightInfoRequest does not have the FlightInfo of a call."
)]
#[tokio::test]
async fn bodies_that_are_none_are_bad_arguments(#[case] action: Action, #[case] message: &str) {
    assert_eq!(refusal(kit().act(action).await), (Code::Unknown, 1, message.to_owned()));
}
