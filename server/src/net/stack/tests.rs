use rstest::rstest;
use tonic::Code;
use tower::{ServiceExt as _, service_fn};

use super::*;
use crate::auth::{EnumeratedTokens, Identity};
use crate::config::TokenHeader;

const GET_FLIGHT_INFO: &str = OF_CALLS_IN_PROGRESS[0];
const DO_GET: &str = OF_CALLS_IN_PROGRESS[1];
const HANDSHAKE: &str = "/arrow.flight.protocol.FlightService/Handshake";
const UNKNOWN: &str = "/arrow.flight.protocol.FlightService/Unknown";

fn location() -> Location {
    Arc::new(|| "grpc://a:1".to_owned())
}

fn tokens() -> Authenticator {
    Authenticator::asking(EnumeratedTokens::new(&["good".into()]), TokenHeader::Bearer)
}

async fn call(phase: Phase, path: &str, token: Option<&str>) -> Response<Body> {
    call_with(phase, path, token, false).await
}

async fn call_with(phase: Phase, path: &str, token: Option<&str>, asks_where: bool) -> Response<Body> {
    let (_sender, phase) = watch::channel(phase);
    let service = service_fn(|_: Request<()>| async { Ok(Response::new(Body::empty())) });
    let mut request = Request::post(path).header("content-type", "application/grpc");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if asks_where {
        request = request.header(LOCATION, "?");
    }
    stack(service, phase, tokens(), Metrics::new(), location())
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

#[rstest]
#[case::a_caller(LIST_FLIGHTS, "good", true, Some("grpc://a:1"))]
#[case::who_does_not_ask(LIST_FLIGHTS, "good", false, None)]
#[case::another_method(GET_FLIGHT_INFO, "good", true, None)]
#[case::a_stranger(LIST_FLIGHTS, "bad", true, None)]
#[tokio::test]
async fn who_lists_functions_and_asks_is_told_where_they_are(
    #[case] path: &str,
    #[case] token: &str,
    #[case] asks_where: bool,
    #[case] expected: Option<&str>,
) {
    let answer = call_with(Phase::Serving, path, Some(token), asks_where).await;
    let told = answer.headers().get(LOCATION).map(|value| value.to_str().unwrap());
    assert_eq!(told, expected);
}

#[tokio::test]
async fn successful_answers_name_the_encodings() {
    let answer = call(Phase::Serving, LIST_FLIGHTS, Some("good")).await;
    assert_eq!(answer.headers()["grpc-accept-encoding"], "identity, deflate, gzip");
    let refusal = call(Phase::Serving, LIST_FLIGHTS, None).await;
    assert!(!refusal.headers().contains_key("grpc-accept-encoding"));
}

#[rstest]
#[case::plain("POST", Some("application/grpc"), None)]
#[case::named("POST", Some("application/grpc+proto"), None)]
#[case::parameters("POST", Some("application/grpc;charset=utf-8"), None)]
#[case::named_with_parameters("POST", Some("application/grpc+proto; v=1"), None)]
#[case::text("POST", Some("text/plain"), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE))]
#[case::json("POST", Some("application/grpc+json"), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE))]
#[case::web("POST", Some("application/grpc-web"), Some(StatusCode::UNSUPPORTED_MEDIA_TYPE))]
#[case::nothing("POST", None, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE))]
#[case::another_method("GET", Some("application/grpc"), Some(StatusCode::METHOD_NOT_ALLOWED))]
#[tokio::test]
async fn only_grpc_is_a_call(
    #[case] method: &str,
    #[case] content_type: Option<&str>,
    #[case] refused: Option<StatusCode>,
) {
    let (_sender, phase) = watch::channel(Phase::Serving);
    let service = service_fn(|_: Request<()>| async { Ok(Response::new(Body::empty())) });
    let mut request = Request::builder()
        .method(method)
        .uri(DO_GET)
        .header("authorization", "Bearer good");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let stack = stack(service, phase, tokens(), Metrics::new(), location());
    let response = stack.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), refused.unwrap_or(StatusCode::OK));
    let expected = refused.map_or(Code::Ok, |_| Code::InvalidArgument);
    assert_eq!(code(&response), expected);
}

#[tokio::test]
async fn the_service_sees_who_calls_and_no_credentials() {
    let (_sender, phase) = watch::channel(Phase::Serving);
    let service = service_fn(|request: Request<()>| async move {
        assert_eq!(request.extensions().get::<Identity>(), Some(&Identity::token()));
        assert!(!request.headers().contains_key("authorization"));
        assert!(!request.headers().contains_key("proxy-authorization"));
        assert!(request.headers().contains_key("x-other"));
        Ok(Response::new(Body::empty()))
    });
    let request = Request::post(DO_GET)
        .header("content-type", "application/grpc")
        .header("authorization", "Bearer good")
        .header("proxy-authorization", "Basic c2VjcmV0")
        .header("x-other", "kept");
    let stack = stack(service, phase, tokens(), Metrics::new(), location());
    let response = stack.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(code(&response), Code::Ok);
}
