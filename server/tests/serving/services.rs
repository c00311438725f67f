//! What answers on the Flight port beside Flight: health for everybody, reflection for known callers who may ask.

use flexconnect_server::Server;
use futures::StreamExt as _;
use tokio::time::timeout;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::functions::Numbers;
use super::harness::{SOON, start};

const TOKENS: &str = "[server]\nauthentication_method = 'token'\nlame_duck_sec = 1\npropagation_delay_sec = 1\n\
                      [enumerated_tokens]\ntokens = ['t1']\n";

async fn channel(running: &flexconnect_server::Running) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address())).unwrap();
    endpoint.connect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_token_and_follows_the_drain() {
    let running = start(Server::builder().function(Numbers).build(), TOKENS).await;
    let mut client = HealthClient::new(channel(&running).await);
    let request = |service: &str| HealthCheckRequest {
        service: service.to_owned(),
    };
    let flight = request("arrow.flight.protocol.FlightService");
    let answer = client.check(flight).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);
    let unknown = client.check(request("some.Service")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let mut watched = client.watch(request("")).await.unwrap().into_inner();
    let mut next = async || {
        timeout(SOON, watched.next())
            .await
            .unwrap()
            .map(|answer| answer.unwrap().status())
    };
    assert_eq!(next().await, Some(ServingStatus::Serving));
    let drained = tokio::spawn(running.drain());
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    assert_eq!(next().await, None);
    assert!(timeout(SOON, drained).await.unwrap().unwrap().is_idle());
}

/// The services that reflection lists, or the code that it refuses with.
async fn listed(settings: &str, token: Option<&'static str>) -> Result<Vec<String>, Code> {
    let running = start(Server::builder().build(), settings).await;
    let mut client = ServerReflectionClient::new(channel(&running).await);
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut request = Request::new(futures::stream::iter([list]));
    if let Some(token) = token {
        let value = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let answers = client.server_reflection_info(request).await;
    let mut answers = answers.map_err(|status| status.code())?.into_inner();
    let answer = answers.next().await.unwrap().map_err(|status| status.code())?;
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("another answer")
    };
    Ok(list.service.into_iter().map(|service| service.name).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_is_an_option_and_needs_a_token() {
    let reflection = TOKENS.replace("[server]", "[server]\nreflection = true");
    let services = listed(&reflection, Some("t1")).await.unwrap();
    for service in ["arrow.flight.protocol.FlightService", "grpc.health.v1.Health"] {
        assert!(services.iter().any(|listed| listed == service), "{services:?}");
    }
    assert_eq!(listed(&reflection, None).await, Err(Code::Unauthenticated));
    assert_eq!(listed(TOKENS, Some("t1")).await, Err(Code::Unimplemented));
}
