//! Polling, cancelling, bounds, and what is not there.

use super::*;

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

#[tokio::test(start_paused = true)]
async fn the_standards_polling_answers_soon_and_then_waits() {
    let kit = kit();
    let start = tokio::time::Instant::now();
    let command = call("Sleeps", &json!({"seconds": 1.5}));
    let first = kit.standard_poll(command.clone()).await.expect("an answer");
    assert!(start.elapsed() < SECOND / 10, "a client shall know soon what to cancel");
    let again = first.flight_descriptor.expect("it goes on");
    let info = first.info.expect("what there is so far");
    assert_eq!(info.flight_descriptor.as_ref(), Some(&again));
    assert!(info.endpoint.is_empty() && info.schema.is_empty());
    assert_eq!((info.total_records, info.total_bytes), (-1, -1));
    let expires = std::time::SystemTime::try_from(first.expiration_time.expect("the deadline")).expect("a time");
    let left = expires.duration_since(std::time::SystemTime::now()).expect("to come");
    assert!(left > 2 * SECOND && left <= 3 * SECOND, "{left:?}");

    let second = kit.standard_poll(again.cmd.clone()).await.expect("an answer");
    assert_eq!(
        second.flight_descriptor,
        Some(again.clone()),
        "the next one waits as long as others poll"
    );
    let last = kit.standard_poll(again.cmd).await.expect("an answer");
    assert_eq!((last.flight_descriptor, last.progress), (None, None));
    let info = last.info.expect("the result");
    assert_eq!(info.flight_descriptor.as_ref().expect("a descriptor").cmd, command);
    assert_eq!(
        rows(kit.get(ticket(&info)).await.expect("a stream")).await,
        [numbers(&[1])]
    );
    let quick = kit.standard_poll(call("Rows", &Value::Null)).await.expect("an answer");
    assert!(quick.flight_descriptor.is_none(), "a quick function needs one request");
    assert_eq!(
        refusal(kit.standard_poll("r:x").await).2,
        "Task with id 'x' does not exist."
    );
    assert_eq!(
        refusal(kit.standard_poll(call("Fails", &Value::Null)).await).2,
        "no such region"
    );
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

#[tokio::test]
async fn what_is_not_implemented_says_so_briefly() {
    let kit = kit();
    let action = Request::new(Action::new("x", ""));
    let statuses = [kit.service.do_action(action).await.map(|_| ())];
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
    kit.tasks.close();
    assert_eq!(
        refusal(kit.info(sleeps).await),
        (Code::Unavailable, 131_574, "Server is shutting down.".to_owned())
    );
}
