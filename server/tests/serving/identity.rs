//! Functions know who calls them.

use flexconnect_server::arrow::datatypes::Schema;
use flexconnect_server::auth::Method;
use flexconnect_server::{Call, FunctionError, Output, Server, from_fn};
use rstest::rstest;
use tonic::Request;

use super::harness::{command, connect, start};

/// Tells how the caller proved who it is, and whether its token is to be seen.
async fn who_calls(call: Call) -> Result<Output, FunctionError> {
    let method = match &call.identity.method {
        Method::Anonymous => "anonymous",
        Method::Token => "token",
        Method::Jwt(_) => "jwt",
        Method::Certificate => "certificate",
    };
    let token = call.headers.text("authorization").unwrap_or("hidden");
    Err(FunctionError::bad_argument(format!("{method}, {token}")))
}

const TOKENS: &str = "[server]\nauthentication_method = 'token'\n[enumerated_tokens]\ntokens = ['one']";

#[rstest]
#[case::nobody_asks("", "anonymous, hidden")]
#[case::a_token_is_asked_for(TOKENS, "token, hidden")]
#[case::the_function_may_see_it(&TOKENS.replace("[enum", "pass_credentials = true\n[enum"), "token, Bearer one")]
#[tokio::test(flavor = "multi_thread")]
async fn functions_know_who_calls(#[case] settings: &str, #[case] expected: &str) {
    let server = Server::builder()
        .function(from_fn("WhoCalls", Schema::empty(), who_calls))
        .build();
    let running = start(server, settings).await;
    let mut request = Request::new(command("WhoCalls"));
    request
        .metadata_mut()
        .insert("authorization", "Bearer one".parse().unwrap());
    let status = connect(running.address())
        .await
        .get_flight_info(request)
        .await
        .unwrap_err();
    assert_eq!(status.message(), format!("{expected}. Detail: Failed"));
}
