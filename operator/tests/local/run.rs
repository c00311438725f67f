//! One run of the program: its manifest, its events, its end.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use flexconnect_sandbox::{ConnectionTest, Options, Sandbox};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

/// Longer than anything takes on a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// A stand-in for GoodData whose connection test does not dial: the servers here answer no calls.
pub(crate) async fn sandbox() -> Sandbox {
    let options = Options {
        connection_test: ConnectionTest::AssumeSuccess,
        ..Options::default()
    };
    Sandbox::start(options).await.unwrap()
}

/// A manifest, with what the tests change in it.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    pub(crate) replicas: u16,
    pub(crate) endpoint: Option<String>,
    pub(crate) deletion_policy: &'static str,
    /// Indented lines under `spec.settings`.
    pub(crate) settings: &'static str,
}

impl Manifest {
    pub(crate) fn new(replicas: u16, sandbox: &Sandbox) -> Self {
        Self {
            replicas,
            endpoint: Some(sandbox.endpoint()),
            deletion_policy: "Delete",
            settings: "",
        }
    }

    /// One that registers nothing.
    pub(crate) fn unregistered(replicas: u16) -> Self {
        Self {
            replicas,
            endpoint: None,
            deletion_policy: "Retain",
            settings: "",
        }
    }

    pub(crate) fn text(&self) -> String {
        let Self {
            replicas,
            endpoint,
            deletion_policy,
            settings,
        } = self;
        let sources = endpoint.as_ref().map_or(String::new(), |endpoint| {
            format!(
                "  dataSources:\n    - id: sales\n      endpoint: {endpoint}\n      insecureHttp: true\n      \
                 deletionPolicy: {deletion_policy}\n      tokenSecret: {{name: gooddata, key: token}}\n"
            )
        });
        let settings = if settings.is_empty() {
            String::new()
        } else {
            format!("  settings:\n{settings}")
        };
        format!(
            "apiVersion: flexconnect.dev/v1alpha1\nkind: FlexConnectServer\nmetadata: {{name: sales}}\nspec:\n  \
             replicas: {replicas}\n  server: {{image: not-used}}\n{settings}{sources}---\napiVersion: v1\n\
             kind: Secret\nmetadata: {{name: gooddata}}\nstringData: {{token: sandbox-token}}\n"
        )
    }
}

/// The server that stands in for real ones.
pub(crate) fn fake_server() -> PathBuf {
    example("fake-server")
}

/// A real server.
pub(crate) fn sdk_server() -> PathBuf {
    example("sdk-server")
}

/// A program that Cargo builds beside the tests, unless it was told to build one test alone.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap();
    let path = built.join("examples").join(name);
    assert!(
        path.exists(),
        "run `cargo build -p flexconnect-operator --examples` first"
    );
    path
}

/// The program, not started yet.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flexconnect-operator"));
    command.arg("local").stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn command(server: &Path, file: &Path) -> Command {
    let mut command = program();
    command
        .arg("-f")
        .arg(file)
        .arg("--server")
        .arg(server)
        .stdout(Stdio::piped());
    command.args(["--port-base", &free_port().to_string()]);
    command
}

/// A run whose events are read as people read them.
pub(crate) struct Readable {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _directory: TempDir,
}

impl Readable {
    pub(crate) fn start(manifest: &Manifest) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fleet.yaml");
        std::fs::write(&file, manifest.text()).unwrap();
        let mut command = command(&fake_server(), &file);
        let mut child = command.arg("--verbose").stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            _directory: directory,
        }
    }

    /// The lines up to the first that starts like this.
    pub(crate) async fn lines_until(&mut self, start: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let read = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                lines.push(line);
                if lines.last().is_some_and(|line| line.starts_with(start)) {
                    break;
                }
            }
        };
        timeout(DEADLINE, read).await.unwrap();
        lines
    }

    /// Interrupts it, and reads to the end.
    pub(crate) async fn end(&mut self) -> Vec<String> {
        kill_process(pid(self.child.id().unwrap()), Signal::INT).unwrap();
        let lines = self.lines_until("Stopped").await;
        assert!(timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap().success());
        lines
    }

    /// What it wrote to stderr.
    pub(crate) async fn logs(&mut self) -> String {
        let mut text = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        timeout(DEADLINE, stderr.read_to_string(&mut text))
            .await
            .unwrap()
            .unwrap();
        text
    }
}

/// A run whose events are read. Dropping it kills what is left.
pub(crate) struct Run {
    pub(crate) child: Child,
    events: Lines<BufReader<ChildStdout>>,
    pub(crate) seen: Vec<Value>,
    pub(crate) file: PathBuf,
    pub(crate) directory: TempDir,
}

impl Run {
    pub(crate) fn start(manifest: &Manifest) -> Self {
        Self::start_with(manifest, &[])
    }

    pub(crate) fn start_with(manifest: &Manifest, arguments: &[&str]) -> Self {
        Self::start_server(&fake_server(), manifest, arguments)
    }

    pub(crate) fn start_server(server: &Path, manifest: &Manifest, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("fleet.yaml");
        std::fs::write(&file, manifest.text()).unwrap();
        let mut child = command(server, &file)
            .args(["-o", "json"])
            .args(arguments)
            .env("TMPDIR", directory.path())
            .spawn()
            .unwrap();
        let events = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            events,
            seen: Vec::new(),
            file,
            directory,
        }
    }

    pub(crate) fn edit(&self, manifest: &Manifest) {
        std::fs::write(&self.file, manifest.text()).unwrap();
    }

    /// The next event of a kind; those before it are kept in `seen`.
    pub(crate) async fn next(&mut self, kind: &str) -> Value {
        self.next_where(kind, |_| true).await
    }

    /// The next event of a kind that fits.
    pub(crate) async fn next_where(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = timeout(DEADLINE, async {
            loop {
                let line = self.events.next_line().await.unwrap()?;
                let event: Value = serde_json::from_str(&line).unwrap();
                self.seen.push(event.clone());
                if event["event"] == kind && fits(&event) {
                    return Some(event);
                }
            }
        });
        match found.await {
            Ok(Some(event)) => event,
            Ok(None) => panic!("the run ended before {kind}: {:#?}", self.seen),
            Err(elapsed) => panic!("no {kind}, {elapsed}: {:#?}", self.seen),
        }
    }

    /// Ends the run as Ctrl-C does, and checks that nothing is left of it.
    pub(crate) async fn stop(mut self) -> Vec<Value> {
        self.signal(Signal::INT);
        self.next("stopped").await;
        let status = timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap();
        assert!(status.success(), "{status}");
        self.assert_nothing_is_left().await;
        self.seen
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(pid(self.child.id().unwrap()), signal).unwrap();
    }

    /// The processes of the replicas that ever ran.
    pub(crate) fn pids(&self) -> Vec<Pid> {
        let started = self.seen.iter().filter(|event| event["event"] == "started");
        started
            .map(|event| pid(u32::try_from(event["pid"].as_u64().unwrap()).unwrap()))
            .collect()
    }

    /// The process of a replica, as started last.
    pub(crate) fn pid_of(&self, replica: &str) -> Pid {
        let started = |event: &&Value| event["event"] == "started" && event["replica"] == replica;
        let event = self.seen.iter().rfind(started).unwrap();
        pid(u32::try_from(event["pid"].as_u64().unwrap()).unwrap())
    }

    pub(crate) async fn assert_nothing_is_left(&self) {
        self.assert_processes_end().await;
        let left: Vec<_> = std::fs::read_dir(self.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(left, std::slice::from_ref(&self.file));
    }

    pub(crate) async fn assert_processes_end(&self) {
        for pid in self.pids() {
            eventually(|| !is_alive(pid)).await;
        }
    }
}

pub(crate) fn pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// Whether a process runs; one that nobody waited for yet does not.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    test_kill_process(pid).is_ok() && !stat.contains(") Z ")
}

pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, wait).await.expect("it did not happen in time");
}

/// The URLs that GoodData knows.
pub(crate) fn registered_urls(sandbox: &Sandbox) -> Vec<String> {
    let source = sandbox.data_source("sales").unwrap();
    source.url().unwrap().split(';').map(str::to_owned).collect()
}

/// Runs the program to its end.
pub(crate) async fn output(mut command: Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    let mut stderr = child.stderr.take().unwrap();
    timeout(DEADLINE, stderr.read_to_string(&mut text))
        .await
        .unwrap()
        .unwrap();
    (timeout(DEADLINE, child.wait()).await.unwrap().unwrap().code(), text)
}

/// A port from which on ports are likely to be free: runs of other tests look for theirs at the same time.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .min(60_000)
}
