//! Tokens that a strategy in Python decides about, in processes that may break.

use std::net::SocketAddr;

use arrow_flight::FlightInfo;
use tonic::{Code, Request, Status};

use super::harness::{command, connect};
use super::started::Started;

/// Calls a function with a token.
async fn call(address: SocketAddr, function: &str, token: &str) -> Result<FlightInfo, Status> {
    let mut request = Request::new(command(function));
    let token = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    let mut client = connect(address).await;
    client.get_flight_info(request).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_passes_unless_the_strategy_says_so() {
    let settings = "authentication_method = 'token'\ntoken_verification = 'guard'\ntask_threads = 1\n\
                    [python]\nworkers = 1\nthreads = 1\n";
    let server = Started::new(settings);
    let address = server.address;
    call(address, "Tiny", "good").await.unwrap();
    let refused = call(address, "Tiny", "bad").await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unauthenticated, "who are you?. Detail: Unauthenticated")
    );

    // Its process ends: the caller is told to come again, and so are those that come meanwhile, or they wait.
    let refused = call(address, "Tiny", "exit").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(!refused.message().contains("exit code"), "{refused}");
    assert_eq!(server.event("python_worker_ended")["reason"], "exited");
    call(address, "Tiny", "good").await.unwrap();
    let failed = server.events("authentication_failed");
    assert!(
        failed
            .iter()
            .any(|event| event["reason"].as_str().unwrap().contains("exit code 3")),
        "{failed:?}"
    );

    // A call takes the only thread for calls, and a token is decided about all the same; so is one beside one that hangs.
    let sleeping = tokio::spawn(call(address, "Sleep", "good"));
    server.until("a call", |server| server.events("task_run").len() == 3);
    let hanging = tokio::spawn(call(address, "Tiny", "hang"));
    let refused = call(address, "Tiny", "bad").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(hanging.await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(!sleeping.is_finished());
    sleeping.abort();
}
