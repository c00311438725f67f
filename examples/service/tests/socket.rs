//! The shelf over a real socket, as clients see it.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use flexconnect_server::arrow::array::{Float64Array, RecordBatch, StringArray};
use flexconnect_server::arrow_flight::decode::FlightRecordBatchStream;
use flexconnect_server::arrow_flight::encode::FlightDataEncoderBuilder;
use flexconnect_server::arrow_flight::flight_service_client::FlightServiceClient;
use flexconnect_server::arrow_flight::{Action, Criteria, FlightDescriptor, FlightInfo, Ticket};
use flexconnect_server::config::{self, Config, Inputs};
use flexconnect_server::{Running, TaskId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

const SOON: Duration = Duration::from_secs(20);

/// A shelf for two tenants that serves, and the port of its metrics.
async fn shelf() -> (Running, u16) {
    let port = free_port();
    let mut config = config(&format!(
        "[server]\nauthentication_method = 'token'\ntoken_verification = 'CustomVerification'\n\
         metrics_host = '127.0.0.1'\nmetrics_port = {port}\nlame_duck_sec = 0\npropagation_delay_sec = 0\n\
         [shelf]\nmax_tables = 2\nmax_table_bytes = 4000000\n[tenant_secrets]\nacme = 'sesame'\nother = 'secret'"
    ));
    config.server.listen.port = 0;
    let running = flexconnect_example_service::server().start(config).await.unwrap();
    (running, port)
}

fn config(toml: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shelf.toml");
    std::fs::write(&file, toml).unwrap();
    let inputs = Inputs {
        files: vec![file],
        variables: BTreeMap::new(),
        machine_name: "here".to_owned(),
    };
    config::load(&inputs).unwrap().0
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Adds a token to every call.
#[derive(Clone)]
struct Bearer(&'static str);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

type Client = FlightServiceClient<InterceptedService<Channel, Bearer>>;

async fn client(running: &Running, token: &'static str) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{}", running.address())).unwrap();
    FlightServiceClient::with_interceptor(endpoint.connect().await.unwrap(), Bearer(token))
}

fn sales() -> RecordBatch {
    let regions = StringArray::from(vec![Some("north"), None, Some("south")]);
    let revenue = Float64Array::from(vec![1.5, 2.0, 4.0]);
    RecordBatch::try_from_iter([("region", Arc::new(regions) as _), ("revenue", Arc::new(revenue) as _)]).unwrap()
}

/// Uploads the sales `times` over under a name; tells the rows that the server counted.
async fn put(client: &mut Client, name: &str, times: usize) -> Result<String, Status> {
    let data = FlightDataEncoderBuilder::new()
        .with_flight_descriptor(Some(FlightDescriptor::new_path(vec![name.to_owned()])))
        .build(stream::iter((0..times).map(|_| Ok(sales()))))
        .map(Result::unwrap);
    let answers: Vec<_> = client.do_put(data).await?.into_inner().try_collect().await?;
    Ok(String::from_utf8(answers[0].app_metadata.to_vec()).unwrap())
}

async fn summarise(client: &mut Client, name: &str, pause_ms: u32) -> Result<FlightInfo, Status> {
    let command = format!(r#"{{"summarise": "{name}", "pause_ms": {pause_ms}}}"#);
    let answer = client.get_flight_info(FlightDescriptor::new_cmd(command)).await?;
    Ok(answer.into_inner())
}

async fn read(client: &mut Client, ticket: Ticket) -> Result<Vec<RecordBatch>, Status> {
    let data = client.do_get(ticket).await?.into_inner();
    let batches = FlightRecordBatchStream::new_from_flight_data(data.map_err(Into::into));
    Ok(batches.try_collect().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_put_listed_summed_up_read_and_dropped() {
    let (running, _) = shelf().await;
    let mut client = client(&running, "acme:sesame").await;
    assert_eq!(put(&mut client, "sales", 3).await.unwrap(), "9");

    let flights = client.list_flights(Criteria::default()).await.unwrap().into_inner();
    let flights: Vec<_> = flights.try_collect().await.unwrap();
    assert_eq!(flights.len(), 1);
    assert_eq!(flights[0].flight_descriptor.as_ref().unwrap().path, ["sales"]);
    assert_eq!(flights[0].total_records, 9);

    let info = summarise(&mut client, "sales", 0).await.unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    for _ in 0..2 {
        let sums = read(&mut client, ticket.clone()).await.unwrap();
        let expected = "[StringArray\n[\n  \"region\",\n  \"revenue\",\n], PrimitiveArray<Int64>\n[\n  6,\n  9,\n], \
                        PrimitiveArray<Float64>\n[\n  null,\n  22.5,\n]]";
        assert_eq!(format!("{:?}", sums[0].columns()), expected);
    }
    assert_eq!(
        read(&mut client, Ticket::new("table:sales")).await.unwrap(),
        [sales(), sales(), sales()]
    );

    client.do_action(Action::new("drop", "sales")).await.unwrap();
    let gone = summarise(&mut client, "sales", 0).await.unwrap_err();
    assert!(
        gone.message().starts_with("There is no table 'sales' on the shelf."),
        "{gone}"
    );
    let unknown = client.do_action(Action::new("paint", "")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_have_secrets_and_shelves_of_their_own() {
    let (running, _) = shelf().await;
    let mut acme = client(&running, "acme:sesame").await;
    put(&mut acme, "sales", 1).await.unwrap();
    for token in ["acme:wrong", "acme", "nobody:sesame", ":"] {
        let mut stranger = client(&running, token).await;
        let refused = stranger.list_flights(Criteria::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{token}");
    }
    let mut other = client(&running, "other:secret").await;
    assert!(summarise(&mut other, "sales", 0).await.is_err());
    put(&mut other, "sales", 1).await.unwrap();
    let full = put(&mut acme, "more", 1).await.unwrap_err();
    assert_eq!(full.code(), Code::Unavailable, "the shelf has room for two tables");
    let large = put(&mut acme, "sales", 20_000).await.unwrap_err();
    assert!(
        large.message().contains("larger than [shelf] max_table_bytes"),
        "{large}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_the_shelf_is_counted_and_a_client_that_leaves_cancels_its_work() {
    let (running, metrics) = shelf().await;
    let mut client = client(&running, "acme:sesame").await;
    put(&mut client, "sales", 1000).await.unwrap();
    let text = scrape(metrics).await;
    assert!(
        text.contains("\nshelf_tables 1.0\n") && text.contains("\nshelf_rows_total 3000.0\n"),
        "{text}"
    );

    let long = summarise(&mut client, "sales", 60);
    timeout(Duration::from_millis(300), long).await.unwrap_err();
    until(|| running.load().is_idle(), "1000 batches of 60 ms would take a minute").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_server_waits_for_work_and_for_its_reader() {
    let (running, _) = shelf().await;
    let mut client = client(&running, "acme:sesame").await;
    put(&mut client, "sales", 5).await.unwrap();
    let mut waiting = client.clone();
    let waiting = tokio::spawn(async move { summarise(&mut waiting, "sales", 100).await });
    until(|| running.load().running == 1, "the work should begin").await;
    let drained = tokio::spawn(running.drain());

    let info = timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    // The server asked the connection to go; the next call finds that out, and the one after it has a new one.
    let sums = match read(&mut client, ticket.clone()).await {
        Err(_) => read(&mut client, ticket).await.unwrap(),
        Ok(sums) => sums,
    };
    assert_eq!(sums[0].num_rows(), 2);
    assert!(timeout(SOON, drained).await.unwrap().unwrap().is_idle());
}

/// Waits for something that happens soon.
async fn until(happened: impl Fn() -> bool, otherwise: &str) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, waiting).await.expect(otherwise);
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_nothing_and_commands_that_are_none() {
    let (running, _) = shelf().await;
    let mut client = client(&running, "acme:sesame").await;
    for ticket in [TaskId::random().to_string(), "table:x".to_owned(), String::new()] {
        assert_eq!(
            read(&mut client, Ticket::new(ticket)).await.unwrap_err().code(),
            Code::Unknown
        );
    }
    let wrong = client
        .get_flight_info(FlightDescriptor::new_cmd("[]"))
        .await
        .unwrap_err();
    assert!(
        wrong.message().starts_with("The command is not {\"summarise\": NAME}"),
        "{wrong}"
    );
    let no_descriptor = FlightDataEncoderBuilder::new().build(stream::iter([Ok(sales())]));
    let refused = client.do_put(no_descriptor.map(Result::unwrap)).await.unwrap_err();
    assert!(
        refused.message().starts_with("Descriptor missing on first message"),
        "{refused}"
    );
}

async fn scrape(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}
