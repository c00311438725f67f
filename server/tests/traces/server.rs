//! The server whose traces are looked at, and a client of it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{FlightDescriptor, FlightInfo};
use futures::TryStreamExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::collector::Collector;
use crate::{CALLER, ROLE, TRACE};

/// Longer than anything takes that works.
const SOON: Duration = Duration::from_secs(30);

pub(crate) struct Running {
    child: Child,
    port: u16,
    events: Receiver<BTreeMap<String, Value>>,
    seen: Vec<BTreeMap<String, Value>>,
    stdout: Option<JoinHandle<String>>,
    _folder: TempDir,
}

/// What the server said until its end.
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) events: Vec<BTreeMap<String, Value>>,
}

/// The ids of the tasks of three calls.
pub(crate) struct Calls {
    pub(crate) quick: String,
    pub(crate) slow: String,
    pub(crate) broken: String,
}

/// Starts the server and waits until it serves.
pub(crate) fn start(exporter: &str, collector: &Collector) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a port")
        .port();
    let config = folder.path().join("server.toml");
    let toml = format!(
        "[server]\nlisten_port = {port}\nadvertise_host = 'localhost'\npropagation_delay_sec = 0\n\
         otel_exporter_type = '{exporter}'\notel_service_name = 'traced'\notel_service_instance_id = 'here'\n\
         otel_extract_context = true\nlog_trace_keys = {{trace_id = 'traceId'}}\n\
         [flexconnect]\npolling_interval_ms = 50\n"
    );
    std::fs::write(&config, toml).expect("the configuration is written");
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["start", "--config"])
        .arg(config)
        .env(ROLE, "yes")
        .env_remove("RUST_LOG")
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            if exporter == "otlp-grpc" {
                collector.grpc()
            } else {
                collector.http()
            },
        )
        .env(
            "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
            format!("{}/api/v2/spans", collector.http()),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let (sender, events) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(event) => drop(sender.send(event)),
                Err(_) => println!("{line}"),
            }
        }
    });
    let mut stdout = child.stdout.take().expect("piped");
    let stdout = thread::spawn(move || {
        let mut text = String::new();
        let _ = stdout.read_to_string(&mut text);
        text
    });
    let mut running = Running {
        child,
        port,
        events,
        seen: Vec::new(),
        stdout: Some(stdout),
        _folder: folder,
    };
    running.await_event("rpc_enabled");
    running
}

impl Running {
    fn await_event(&mut self, name: &str) {
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left);
            let event = event.unwrap_or_else(|_| unreachable!("no {name} in time: {:#?}", self.seen));
            let found = event["event"] == name;
            self.seen.push(event);
            if found {
                return;
            }
        }
    }

    /// Calls each function once, within the caller's trace.
    pub(crate) async fn call(&mut self) -> Calls {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port)).expect("an address");
        let mut client = FlightServiceClient::new(endpoint.connect().await.expect("a connection"));
        let quick = ask(&mut client, r#"{"functionName":"Quick"}"#, false)
            .await
            .expect("a result");
        read(&mut client, &quick).await;

        let status = ask(&mut client, r#"{"functionName":"Slow"}"#, true)
            .await
            .expect_err("told to come again");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        let slow = task_of(&status);
        let until = Instant::now() + SOON;
        let info = loop {
            match ask(&mut client, &format!("r:{slow}"), true).await {
                Ok(info) => break info,
                Err(_) => assert!(Instant::now() < until, "the slow call did not end"),
            }
        };
        read(&mut client, &info).await;
        let status = ask(&mut client, r#"{"functionName":"Broken"}"#, false)
            .await
            .expect_err("it is broken");
        assert_eq!(status.code(), Code::Unknown);
        Calls {
            quick: id_of(&quick),
            slow,
            broken: self.id_in_log("Broken"),
        }
    }

    /// The id of a function's task, which clients of failed calls are not told.
    fn id_in_log(&mut self, function: &str) -> String {
        let until = Instant::now() + SOON;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the task is logged");
            let found = event["event"] == "task_failed" && event["fun"] == function;
            let id = event.get("task_id").and_then(Value::as_str).map(str::to_owned);
            self.seen.push(event);
            if found && let Some(id) = id {
                return id;
            }
        }
    }

    /// Ends the server as Kubernetes does, and waits for its end.
    pub(crate) fn end(mut self) -> Said {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it runs");
        let until = Instant::now() + SOON;
        while self.child.try_wait().expect("our child").is_none() {
            assert!(Instant::now() < until, "the server does not end");
            thread::sleep(Duration::from_millis(10));
        }
        let stdout = self.stdout.take().expect("taken once").join().expect("read");
        let mut events = std::mem::take(&mut self.seen);
        events.extend(self.events.iter());
        Said { stdout, events }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ask(client: &mut FlightServiceClient<Channel>, command: &str, polls: bool) -> Result<FlightInfo, Status> {
    let mut request = Request::new(FlightDescriptor::new_cmd(command.to_owned()));
    let traceparent = format!("00-{TRACE}-{CALLER}-01").parse().expect("a header");
    request.metadata_mut().insert("traceparent", traceparent);
    if polls {
        request
            .metadata_mut()
            .insert("x-quiver-pollable", "1".parse().expect("a header"));
    }
    client.get_flight_info(request).await.map(tonic::Response::into_inner)
}

/// Reads a result, so that the server need not wait for that when it ends.
async fn read(client: &mut FlightServiceClient<Channel>, info: &FlightInfo) {
    let ticket = info.endpoint[0].ticket.clone().expect("a ticket");
    let messages = client.do_get(ticket).await.expect("a stream").into_inner();
    let messages: Vec<_> = messages.try_collect().await.expect("messages");
    assert_eq!(messages.len(), 2, "the schema and one batch");
}

/// The task that a ticket is for.
fn id_of(info: &FlightInfo) -> String {
    let ticket = info.endpoint[0].ticket.as_ref().expect("a ticket");
    let ticket: Value = serde_json::from_slice(&ticket.ticket).expect("JSON");
    ticket["task_id"].as_str().expect("an id").to_owned()
}

/// The task that a client shall ask for again: 32 hex digits somewhere in the answer's details.
fn task_of(status: &Status) -> String {
    use base64::Engine as _;
    let info: Value = serde_json::from_slice(status.details()).expect("JSON");
    let body = info["body"].as_str().expect("retry info");
    let body = base64::engine::general_purpose::STANDARD.decode(body).expect("base64");
    let retry = String::from_utf8_lossy(&body).into_owned();
    let retry: Value = serde_json::from_str(&retry).expect("JSON");
    let descriptor = retry["retry_descriptor"].as_str().expect("a descriptor");
    let descriptor = base64::engine::general_purpose::STANDARD
        .decode(descriptor)
        .expect("base64");
    let text = String::from_utf8_lossy(&descriptor);
    let start = text.find("r:").expect("how to ask again") + 2;
    text[start..start + 32].to_owned()
}
