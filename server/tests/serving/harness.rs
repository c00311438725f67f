//! Starts servers in this process, and speaks with them as clients do.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightDescriptor, FlightInfo, Ticket};
use flexconnect_server::arrow::array::RecordBatch;
use flexconnect_server::config::{self, Config, Inputs};
use flexconnect_server::{Running, Server};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The configuration of these TOML lines, on a port that the system chooses.
pub(crate) fn config(toml: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    config_in(folder.path(), toml)
}

/// The same, in a file that stays there.
pub(crate) fn config_in(folder: &Path, toml: &str) -> Config {
    let file = folder.join("server.toml");
    std::fs::write(&file, toml).unwrap();
    let inputs = Inputs {
        files: vec![file],
        variables: BTreeMap::new(),
        machine_name: "this.machine".to_owned(),
    };
    let (mut config, _) = config::load(&inputs).unwrap();
    config.server.listen.port = 0;
    config
}

/// A server of this configuration.
pub(crate) async fn start(server: Server, toml: &str) -> Running {
    server.start(config(toml)).await.unwrap()
}

/// A port that nobody uses at the moment.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A client with a connection of its own.
pub(crate) async fn connect(address: SocketAddr) -> FlightServiceClient<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    FlightServiceClient::new(endpoint.connect().await.unwrap())
}

/// The command that calls a function.
pub(crate) fn command(function: &str) -> FlightDescriptor {
    FlightDescriptor::new_cmd(format!(r#"{{"functionName":"{function}"}}"#))
}

/// Calls a function and waits for its end.
pub(crate) async fn call(client: &mut FlightServiceClient<Channel>, function: &str) -> Result<FlightInfo, Status> {
    timeout(SOON, client.get_flight_info(command(function)))
        .await
        .unwrap()
        .map(tonic::Response::into_inner)
}

/// Asks on a connection of its own, and on another one when the server wanted that one to go before the request was on
/// its way. Most gRPC clients do so by themselves; this one tells, and then the status has a source.
pub(crate) async fn anew<T>(
    address: SocketAddr,
    ask: impl AsyncFn(FlightServiceClient<Channel>) -> Result<T, Status>,
) -> Result<T, Status> {
    loop {
        match ask(connect(address).await).await {
            Err(status) if status.source().is_some() => {}
            answered => return answered,
        }
    }
}

/// The ticket of a result.
pub(crate) fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

/// Reads a result to its end.
pub(crate) async fn read(
    client: &mut FlightServiceClient<Channel>,
    info: &FlightInfo,
) -> Result<Vec<RecordBatch>, Status> {
    let messages = client.do_get(ticket(info)).await?.into_inner();
    let batches = FlightRecordBatchStream::new_from_flight_data(messages.map_err(Into::into).boxed());
    timeout(SOON, batches.try_collect())
        .await
        .unwrap()
        .map_err(|error| Status::internal(error.to_string()))
}

/// Rows in all batches.
pub(crate) fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

/// The error code that a status carries.
pub(crate) fn code(status: &Status) -> u32 {
    let info: serde_json::Value = serde_json::from_slice(status.details()).unwrap();
    u32::try_from(info["code"].as_u64().unwrap()).unwrap()
}

/// Asks again until the answer is there.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    let until = Instant::now() + SOON;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "it did not happen in time");
        sleep(Duration::from_millis(10)).await;
    }
}

/// The status of an HTTP request without body; `None` when nobody answers.
pub(crate) async fn http_status(port: u16, request: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let text = format!("{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.ok()?;
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
