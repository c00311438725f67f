//! The token is asked for on every method, with the original's texts.

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Criteria, Empty, FlightData, HandshakeRequest, Ticket};
use flexconnect_server::Server;
use futures::stream;
use rstest::rstest;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::functions::Numbers;
use super::harness::{command, connect, start};

const TOKENS: &str = "[server]\nauthentication_method = 'token'\n[enumerated_tokens]\ntokens = ['one', 'two']";

fn with(headers: &[(&'static str, &'static str)]) -> impl Fn(&mut tonic::metadata::MetadataMap) {
    move |metadata| {
        for (name, value) in headers {
            metadata.append(*name, value.parse().unwrap());
        }
    }
}

/// Calls every method with these headers; the statuses, by method.
async fn every_method(
    client: &mut FlightServiceClient<Channel>,
    headers: &[(&'static str, &'static str)],
) -> Vec<(&'static str, Result<(), Status>)> {
    fn request<T>(message: T, headers: &[(&'static str, &'static str)]) -> Request<T> {
        let mut request = Request::new(message);
        with(headers)(request.metadata_mut());
        request
    }
    let nothing = || stream::iter(Vec::<FlightData>::new());
    let hello = stream::iter(vec![HandshakeRequest::default()]);
    vec![
        (
            "ListFlights",
            client
                .list_flights(request(Criteria::default(), headers))
                .await
                .map(drop),
        ),
        (
            "GetFlightInfo",
            client
                .get_flight_info(request(command("Numbers"), headers))
                .await
                .map(drop),
        ),
        (
            "DoGet",
            client.do_get(request(Ticket::new("{}"), headers)).await.map(drop),
        ),
        (
            "GetSchema",
            client.get_schema(request(command("Numbers"), headers)).await.map(drop),
        ),
        (
            "PollFlightInfo",
            client
                .poll_flight_info(request(command("Numbers"), headers))
                .await
                .map(drop),
        ),
        (
            "DoAction",
            client.do_action(request(Action::new("x", ""), headers)).await.map(drop),
        ),
        (
            "ListActions",
            client.list_actions(request(Empty {}, headers)).await.map(drop),
        ),
        ("Handshake", client.handshake(request(hello, headers)).await.map(drop)),
        ("DoPut", client.do_put(request(nothing(), headers)).await.map(drop)),
        (
            "DoExchange",
            client.do_exchange(request(nothing(), headers)).await.map(drop),
        ),
    ]
}

#[rstest]
#[case::missing(
    &[],
    "Authentication failed because the authentication header bearing the token was not included on the call."
)]
#[case::wrong(&[("authorization", "Bearer three")], "Authentication token is not valid.")]
#[case::lower_case(
    &[("authorization", "bearer one")],
    "Authentication failed because the 'Authorization' header does not start with 'Bearer '"
)]
#[case::twice(
    &[("authorization", "Bearer one"), ("authorization", "Bearer one")],
    "Authentication failed because the authentication header 'Authorization' is specified multiple times."
)]
#[tokio::test(flavor = "multi_thread")]
async fn every_method_refuses(#[case] headers: &[(&'static str, &'static str)], #[case] message: &str) {
    let running = start(Server::builder().function(Numbers).build(), TOKENS).await;
    let mut client = connect(running.address()).await;
    for (method, answer) in every_method(&mut client, headers).await {
        let status = answer.expect_err(method);
        assert_eq!(status.code(), Code::Unauthenticated, "{method}");
        assert_eq!(
            status.message(),
            format!("{message}. Detail: Unauthenticated"),
            "{method}"
        );
        assert!(status.details().is_empty(), "{method}");
        assert_eq!(status.metadata().get("x-arrow-status").unwrap(), "5", "{method}");
        let text = status
            .metadata()
            .get_bin("x-arrow-status-message-bin")
            .unwrap()
            .to_bytes()
            .unwrap();
        assert_eq!(text, message, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_passes_everywhere() {
    let running = start(Server::builder().function(Numbers).build(), TOKENS).await;
    let mut client = connect(running.address()).await;
    for (method, answer) in every_method(&mut client, &[("authorization", "Bearer  two ")]).await {
        assert_ne!(
            answer.err().map(|status| status.code()),
            Some(Code::Unauthenticated),
            "{method}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_of_ones_own_holds_the_token_alone() {
    let toml = format!("server.token_header_name = 'X-Token'\n{TOKENS}").replace("[server]\n", "server.");
    let running = start(Server::builder().function(Numbers).build(), &toml).await;
    let mut client = connect(running.address()).await;
    let listed = |value| {
        let mut request = Request::new(Criteria::default());
        with(&[("x-token", value)])(request.metadata_mut());
        request
    };
    client.list_flights(listed("one")).await.unwrap();
    let refused = client.list_flights(listed("Bearer one")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}
