//! The functions as a client sees them: over a real connection to a server in this process.

use arrow::array::RecordBatch;
use arrow_flight::FlightDescriptor;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_client::FlightServiceClient;
use flexconnect_server::{Running, testing};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tonic::transport::{Channel, Endpoint};

/// A server of all functions, and a client of it.
async fn serve() -> (Running, FlightServiceClient<Channel>) {
    let settings = [("weather.data", concat!(env!("CARGO_MANIFEST_DIR"), "/data"))];
    let running = testing::serve(flexconnect_example::server(), &settings)
        .await
        .expect("the tables are there");
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address())).expect("an address");
    let channel = endpoint.connect().await.expect("a connection");
    (running, FlightServiceClient::new(channel))
}

/// Calls a function, and reads its rows.
async fn rows(client: &mut FlightServiceClient<Channel>, function: &str, parameters: Value) -> usize {
    let command = json!({"functionName": function, "parameters": parameters}).to_string();
    let info = client
        .get_flight_info(FlightDescriptor::new_cmd(command))
        .await
        .expect("a result");
    let ticket = info.into_inner().endpoint.remove(0).ticket.expect("a ticket");
    let messages = client.do_get(ticket).await.expect("its rows").into_inner();
    let batches = FlightRecordBatchStream::new_from_flight_data(messages.map_err(Into::into).boxed());
    let batches: Vec<RecordBatch> = batches.try_collect().await.expect("all rows");
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_function_answers_over_a_connection() {
    let (_running, mut client) = serve().await;
    assert_eq!(rows(&mut client, "DailyWeather", json!({})).await, 1461);
    assert_eq!(rows(&mut client, "Airports", json!({})).await, 3376);
    assert_eq!(
        rows(&mut client, "Forecast", json!({"month": 7, "years": 100})).await,
        3
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_parameter_is_told_to_the_client() {
    let (_running, mut client) = serve().await;
    let command = json!({"functionName": "Forecast", "parameters": {"month": "July"}}).to_string();
    let status = client
        .get_flight_info(FlightDescriptor::new_cmd(command))
        .await
        .expect_err("no such month");
    assert!(status.message().contains("Incorrect parameter 'month'"), "{status}");
}
