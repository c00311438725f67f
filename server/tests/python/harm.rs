//! Functions that do what functions must not: each ends in a clear way, and the next call is answered.

use arrow_flight::FlightDescriptor;
use rstest::rstest;
use serde_json::json;
use tonic::Status;

use super::harness::{connect, eventually, read, rows};
use super::started::{SOON, Started};

/// Calls `Harm`, reads what it returns, and counts the rows.
async fn harm(server: &Started, how: Option<&str>) -> Result<usize, Status> {
    let mut client = connect(server.address).await;
    let parameters = how.map_or_else(|| json!({}), |how| json!({"how": how}));
    let command = json!({"functionName": "Harm", "parameters": parameters}).to_string();
    let called = client.get_flight_info(FlightDescriptor::new_cmd(command));
    let info = tokio::time::timeout(SOON, called).await.unwrap()?.into_inner();
    Ok(rows(&read(&mut client, &info).await?))
}

fn start(settings: &str) -> Started {
    Started::serving("harm", settings)
}

fn says_what_clients_may_know(status: &Status, told: &str) {
    assert!(status.message().contains(told), "{status}");
    assert!(status.message().len() < 5_000, "{} bytes", status.message().len());
    for inside in ["Traceback", "harm.py", "/site-packages/"] {
        assert!(!status.message().contains(inside), "{status}");
    }
}

/// What is wrong with the call, and why its worker ended if it did.
#[rstest]
#[case::another_type("another type", "Unexpected type of 'data'", None)]
#[case::nothing("nothing", "Unexpected type of 'data'", None)]
#[case::differing_batches("differing batches", "schema", None)]
#[case::unprintable("unprintable", "Unprintable", None)]
#[case::long_text("long text", "yyyy", None)]
#[case::sys_exit("sys.exit", "SystemExit", None)]
#[case::interrupted("interrupted", "KeyboardInterrupt", None)]
#[case::exit("os._exit", "exit code 3", Some("exited"))]
#[case::segfault("segfault", "SIGSEGV", Some("killed"))]
#[case::terminate("terminate", "SIGTERM", Some("killed"))]
#[case::group("group", "killed", Some("killed"))]
#[case::closed("closed", "exit code 70", Some("exited"))]
#[case::handler("handler", "signal 14", Some("killed"))]
#[tokio::test(flavor = "multi_thread")]
async fn harm_costs_its_own_call_only(#[case] how: &str, #[case] told: &str, #[case] ended: Option<&str>) {
    let server = start("");
    let status = harm(&server, Some(how)).await.unwrap_err();
    says_what_clients_may_know(&status, told);
    assert_eq!(harm(&server, None).await.unwrap(), 1, "the next call is answered");
    match ended {
        Some(reason) => assert_eq!(server.event("python_worker_ended")["reason"], reason),
        None => assert!(server.events("python_worker_ended").is_empty()),
    }
}

/// On a busy machine calls that do no harm miss the deadline as well, so they are repeated.
#[rstest]
#[case::stopped("stopped")]
#[case::hang("hang")]
#[tokio::test(flavor = "multi_thread")]
async fn calls_that_never_end_are_given_up_and_their_worker_is_replaced(#[case] how: &str) {
    let server = start("[flexconnect.limits.Harm]\ncall_deadline_ms = 5000\n[python]\nworkers = 1\n");
    let status = harm(&server, Some(how)).await.unwrap_err();
    says_what_clients_may_know(&status, "timed out while waiting");
    assert_eq!(server.event("python_worker_ended")["reason"], "hung");
    eventually(|| async { harm(&server, None).await.ok() }).await;
}

#[rstest]
#[case::fork("fork")]
#[case::flood("flood")]
#[case::thread("thread")]
#[tokio::test(flavor = "multi_thread")]
async fn what_does_no_harm_to_its_call_is_answered(#[case] how: &str) {
    let server = start("");
    assert_eq!(harm(&server, Some(how)).await.unwrap(), 1);
    assert_eq!(harm(&server, None).await.unwrap(), 1, "the next call is answered");
}
