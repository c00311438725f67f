//! The standard's actions.

use arrow_flight::{CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus};
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
    assert_eq!(names, ["CancelFlightInfo"]);
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

#[rstest]
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
