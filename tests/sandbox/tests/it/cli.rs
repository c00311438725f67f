//! The binary: what it prints, where, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};

use flexconnect_sandbox::{Options, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::flight::{Flight, Script};
use crate::support::rest::{Rest, document};

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_flexconnect-sandbox"))
}

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn run(arguments: &[&str]) -> Output {
    let mut command = binary();
    command.args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

async fn with_sales(server: &Flight) -> Sandbox {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let attributes = json!({ "name": "Sales", "type": "FLEXCONNECT", "schema": "", "url": server.url() });
    let created = Rest::of(&sandbox)
        .post("/api/v1/entities/dataSources", &document("sales", &attributes))
        .await;
    assert_eq!(created.status, 201);
    sandbox
}

#[test]
fn serve_says_where_it_listens_and_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--token",
            "t",
            "--profile",
            "lenient",
            "--fault",
            "down:1",
        ];
        let mut process = Process(binary().args(serve).stdout(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let address = first
            .strip_prefix("stands in for GoodData on http://127.0.0.1:")
            .unwrap();
        assert!(address.parse::<u16>().unwrap() > 0);
        let second = lines.next().unwrap().unwrap();
        assert_eq!(
            second,
            "organization sandbox, token t, profile lenient, connection test dial"
        );
        kill_process(Pid::from_child(&process.0), signal).unwrap();
        assert_eq!(process.0.wait().unwrap().code(), Some(0));
    }
}

#[tokio::test]
async fn serve_names_the_address_that_is_taken() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    let address = sandbox.address().to_string();
    let output = run(&["serve", "--listen", &address]).await;
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.starts_with(&format!("flexconnect-sandbox: cannot listen on {address}: ")),
        "{error}"
    );
}

#[tokio::test]
async fn query_prints_the_rows_and_a_line_for_each_answer() {
    let server = Flight::start(Script::default());
    let sandbox = with_sales(&server).await;
    let endpoint = sandbox.endpoint();
    let output = run(&["query", "--endpoint", &endpoint, "sales", "WhereAmI", "--repeat", "3"]).await;
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let printed: Vec<_> = text(&output.stdout).lines().collect();
    assert!(
        printed[1].contains("server") && printed[3].contains(&server.url()),
        "{printed:#?}"
    );
    assert!(!text(&output.stdout).contains('\u{1b}'), "no colour but on a terminal");
    let start = format!("1 row × 1 column from {} in ", server.url());
    assert_eq!(
        printed
            .iter()
            .filter(|line| line.starts_with(&start) && line.ends_with(" ms"))
            .count(),
        3
    );
}

#[tokio::test]
async fn query_prints_a_document_for_each_answer() {
    let server = Flight::start(Script::default());
    let sandbox = with_sales(&server).await;
    let endpoint = sandbox.endpoint();
    let query = ["query", "--endpoint", &endpoint, "sales", "WhereAmI"];
    let output = run(&[query.as_slice(), &["--repeat", "2", "-o", "json", "--limit", "0"]].concat()).await;
    let documents: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(documents.len(), 2);
    assert_eq!(
        (&documents[1]["rowCount"], &documents[1]["rows"]),
        (&json!(1), &json!([]))
    );
    assert_eq!(documents[1]["location"], server.url());
}

#[tokio::test]
async fn query_passes_filters_on() {
    let server = Flight::start(Script::default());
    let sandbox = with_sales(&server).await;
    let endpoint = sandbox.endpoint();
    let query = [
        "query",
        "--endpoint",
        &endpoint,
        "sales",
        "WhereAmI",
        "--columns",
        "a,b",
    ];
    let filters = ["--filter", "region=EMEA,APAC", "--date-range", "month:-11..0"];
    let output = run(&[query.as_slice(), &filters].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let command: Value = serde_json::from_str(&server.seen()[0].command).unwrap();
    assert_eq!(command["parameters"]["columns"], json!(["a", "b"]));
    let filters = &command["parameters"]["executionContext"]["filters"];
    assert_eq!(
        (&filters[0]["values"], &filters[1]["from"]),
        (&json!(["EMEA", "APAC"]), &json!(-11))
    );
}

#[tokio::test]
async fn query_fails_with_one_sentence() {
    let mut server = Flight::start(Script::default());
    let sandbox = with_sales(&server).await;
    server.kill();
    let endpoint = sandbox.endpoint();
    for (arguments, sentence) in [
        (
            vec!["--endpoint", &endpoint, "sales", "F"],
            "cannot connect to grpc://127.0.0.1:",
        ),
        (
            vec!["--endpoint", &endpoint, "other", "F"],
            "there is no data source `other`",
        ),
        (
            vec!["--endpoint", &endpoint, "--token", "x", "sales", "F"],
            "does not know this token",
        ),
        (
            vec!["--endpoint", "http://127.0.0.1:1", "sales", "F"],
            "no sandbox can be reached at http://127.0.0.1:1/",
        ),
    ] {
        let output = run(&[["query"].as_slice(), &arguments].concat()).await;
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{error}");
        assert!(
            error.starts_with("flexconnect-sandbox: ") && error.contains(sentence),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let output = run(&["query", "sales", "F", "--filter", "region"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`region` is no filter"), "{output:?}");
}
