//! Files that change while a server runs: tokens, and the address that clients are told.

use std::path::PathBuf;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Criteria, FlightInfo};
use flexconnect_server::{Running, Server};
use tempfile::TempDir;
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::functions::Numbers;
use super::harness::{call, config_in, connect, eventually};

/// A server whose settings file stays where it is.
struct Kept {
    folder: TempDir,
    running: Running,
}

impl Kept {
    async fn start(toml: impl Fn(&TempDir) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config_in(folder.path(), &toml(&folder));
        let running = Server::builder().function(Numbers).build().start(config).await.unwrap();
        Self { folder, running }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn tokens(list: &str) -> String {
    format!("[server]\nauthentication_method = 'token'\n[enumerated_tokens]\ntokens = {list}")
}

async fn is_let_in(client: &FlightServiceClient<Channel>, token: &str) -> bool {
    let mut request = Request::new(Criteria::default());
    let header = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", header);
    match client.clone().list_flights(request).await {
        Ok(_) => true,
        Err(status) if status.code() == Code::Unauthenticated => false,
        Err(status) => panic!("{status}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_follow_their_file() {
    let kept = Kept::start(|_| tokens("['old']")).await;
    let client = connect(kept.running.address()).await;
    assert!(is_let_in(&client, "old").await);
    std::fs::write(kept.file("server.toml"), tokens("['new', 'other']")).unwrap();
    eventually(async || is_let_in(&client, "new").await.then_some(())).await;
    assert!(!is_let_in(&client, "old").await);

    std::fs::write(kept.file("server.toml"), tokens("['newest']")).unwrap();
    eventually(async || is_let_in(&client, "newest").await.then_some(())).await;
    assert!(!is_let_in(&client, "new").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_advertised_address_follows_its_file() {
    let toml = |folder: &TempDir| {
        let file = folder.path().join("address");
        format!(
            "[server]\nadvertise_host = 'inside'\nadvertise_file = '{}'",
            file.display()
        )
    };
    let kept = Kept::start(toml).await;
    let client = connect(kept.running.address()).await;
    let location = async || -> String {
        let info: FlightInfo = call(&mut client.clone(), "Numbers").await.unwrap();
        info.endpoint[0].location[0].uri.clone()
    };
    assert_eq!(location().await, "grpc://inside:17001");
    std::fs::write(kept.file("address"), "sales.example.com:443\n").unwrap();
    eventually(async || (location().await == "grpc://sales.example.com:443").then_some(())).await;
}
