use std::sync::Arc;

use rstest::rstest;
use tonic::Code;
use tower::{ServiceExt as _, service_fn};

use super::*;
use crate::auth::EnumeratedTokens;
use crate::config::TokenHeader;

const GET_FLIGHT_INFO: &str = OF_CALLS_IN_PROGRESS[0];
const DO_GET: &str = OF_CALLS_IN_PROGRESS[1];
const LIST_FLIGHTS: &str = "/arrow.flight.protocol.FlightService/ListFlights";
const HANDSHAKE: &str = "/arrow.flight.protocol.FlightService/Handshake";
const UNKNOWN: &str = "/arrow.flight.protocol.FlightService/Unknown";

fn tokens() -> Authenticator {
    Authenticator::Token {
        header: TokenHeader::Bearer,
        verifier: Arc::new(EnumeratedTokens::new(vec!["good".into()])),
    }
}

async fn call(phase: Phase, path: &str, token: Option<&str>) -> Response<Body> {
    let (_sender, phase) = watch::channel(phase);
    let service = service_fn(|_: Request<()>| async { Ok(Response::new(Body::empty())) });
    let mut request = Request::post(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    stack(service, phase, tokens(), Metrics::new())
        .oneshot(request.body(()).unwrap())
        .await
        .unwrap()
}

fn code(response: &Response<Body>) -> Code {
    Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code())
}

#[rstest]
#[case::starting(Phase::Starting, LIST_FLIGHTS, Code::Unavailable)]
#[case::serving(Phase::Serving, LIST_FLIGHTS, Code::Ok)]
#[case::lame_duck(Phase::LameDuck, GET_FLIGHT_INFO, Code::Ok)]
#[case::reading_while_closing(Phase::Closing, DO_GET, Code::Ok)]
#[case::polling_while_closing(Phase::Closing, GET_FLIGHT_INFO, Code::Ok)]
#[case::listing_while_closing(Phase::Closing, LIST_FLIGHTS, Code::Unavailable)]
#[case::stopped(Phase::Stopped, DO_GET, Code::Unavailable)]
#[tokio::test]
async fn availability_follows_the_phase(#[case] phase: Phase, #[case] path: &str, #[case] expected: Code) {
    assert_eq!(code(&call(phase, path, Some("good")).await), expected);
}

#[rstest]
#[tokio::test]
async fn every_method_asks_for_the_token(
    #[values(LIST_FLIGHTS, GET_FLIGHT_INFO, DO_GET, HANDSHAKE, UNKNOWN)] path: &str,
) {
    assert_eq!(code(&call(Phase::Serving, path, None).await), Code::Unauthenticated);
    assert_eq!(
        code(&call(Phase::Serving, path, Some("bad")).await),
        Code::Unauthenticated
    );
    assert_eq!(code(&call(Phase::Serving, path, Some("good")).await), Code::Ok);
}

#[tokio::test]
async fn availability_comes_before_authentication() {
    assert_eq!(
        code(&call(Phase::Starting, LIST_FLIGHTS, None).await),
        Code::Unavailable
    );
}

#[tokio::test]
async fn successful_answers_name_the_encodings() {
    let answer = call(Phase::Serving, LIST_FLIGHTS, Some("good")).await;
    assert_eq!(answer.headers()["grpc-accept-encoding"], "identity, deflate, gzip");
    let refusal = call(Phase::Serving, LIST_FLIGHTS, None).await;
    assert!(!refusal.headers().contains_key("grpc-accept-encoding"));
}
