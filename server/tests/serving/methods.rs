//! A service with methods of its own that are not well.

use arrow_flight::{Action, Criteria, FlightData, FlightDescriptor, FlightInfo, Ticket};
use flexconnect_server::flight::{Answers, CallContext, DataStream, FlightMethods};
use flexconnect_server::{FlightError, FunctionError, Server, async_trait};
use futures::{StreamExt as _, stream};
use tonic::{Code, Status};

use super::harness::{code, connect, start};

/// Panics, before it answers and while it does.
struct Panics;

#[async_trait]
impl FlightMethods for Panics {
    async fn get_flight_info(&self, _: &CallContext, _: FlightDescriptor) -> Result<FlightInfo, FlightError> {
        panic!("expected")
    }

    async fn list_flights(&self, _: &CallContext, _: Criteria) -> Result<Answers<FlightInfo>, FlightError> {
        let first = stream::iter([Ok(FlightInfo::default())]);
        Ok(first.chain(stream::poll_fn(|_| panic!("expected"))).boxed())
    }

    async fn do_get(&self, _: &CallContext, ticket: Ticket) -> Result<DataStream, FlightError> {
        assert!(!ticket.ticket.is_empty(), "expected");
        Ok(stream::poll_fn(|_| panic!("expected")).boxed())
    }

    async fn do_action(&self, _: &CallContext, _: Action) -> Result<Answers<arrow_flight::Result>, FlightError> {
        Ok(stream::empty().boxed())
    }
}

fn is_told(status: &Status) {
    assert_eq!((status.code(), code(status)), (Code::Internal, 131_572), "{status:?}");
    assert!(!status.message().contains("expected"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_the_error_of_one_call() {
    let server = Server::service(async |_| Ok::<_, FunctionError>(Panics)).build();
    let running = start(server, "").await;
    let mut client = connect(running.address()).await;
    is_told(
        &client
            .get_flight_info(FlightDescriptor::new_cmd("x"))
            .await
            .unwrap_err(),
    );
    for ticket in ["", "x"] {
        let ticket = Ticket { ticket: ticket.into() };
        is_told(&client.do_get(ticket).await.unwrap_err());
    }
    let mut flights = client.list_flights(Criteria::default()).await.unwrap().into_inner();
    flights.next().await.unwrap().unwrap();
    is_told(&flights.next().await.unwrap().unwrap_err());
    assert!(flights.next().await.is_none());
    client.do_action(Action::new("x", "")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_are_new_calls_to_a_server_that_ends() {
    let server = Server::service(async |_| Ok::<_, FunctionError>(Panics)).build();
    let running = start(server, "").await;
    let mut client = connect(running.address()).await;
    client.list_flights(Criteria::default()).await.unwrap();
    assert_eq!(running.load().last_call, None, "looking around is no call");
    client.do_put(stream::empty::<FlightData>()).await.unwrap_err();
    let put = running.load().last_call.unwrap();
    client.do_exchange(stream::empty::<FlightData>()).await.unwrap_err();
    assert!(running.load().last_call.unwrap() > put);
}
