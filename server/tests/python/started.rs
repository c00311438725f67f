//! The binary with functions in Python: what it logs is read all the time, and what it started is known.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::harness::free_port;

/// Longer than anything takes that works, several interpreters starting at a time.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// The interpreter of the tests, with the packages of tests/requirements.txt.
pub(crate) fn interpreter() -> PathBuf {
    environment("python")
}

/// The interpreter of an environment that tests/setup makes.
pub(crate) fn environment(name: &str) -> PathBuf {
    let cache = std::env::var("FLEXCONNECT_CACHE").unwrap_or_else(|_| {
        let home = std::env::var("HOME").unwrap();
        std::env::var("XDG_CACHE_HOME").unwrap_or(format!("{home}/.cache")) + "/flexconnect"
    });
    let python = Path::new(&cache).join(name).join("bin/python");
    assert!(
        python.exists(),
        "{} is not there: run tests/setup {name}",
        python.display()
    );
    python
}

/// A command of the binary, with the settings of these TOML lines.
pub(crate) fn command(toml: &str, folder: &Path) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
    let config = folder.join("server.toml");
    let python = interpreter();
    let settings = format!("{toml}\n[python]\ninterpreter = {python:?}\npath = [{here:?}, {folder:?}]\nworkers = 2\n");
    // Settings that a test gives under [python] go before the rest of that section.
    let settings = match settings
        .split_once("[python]\n")
        .filter(|_| settings.matches("[python]").count() > 1)
    {
        Some((before, rest)) => {
            let (own, common) = rest.split_once("[python]\n").unwrap();
            let own_workers = own.contains("workers =");
            let common = if own_workers {
                common.replace("workers = 2\n", "")
            } else {
                common.to_owned()
            };
            format!("{before}[python]\n{own}{common}")
        }
        None => settings,
    };
    std::fs::write(&config, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_flexconnect-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GOODDATA_FLIGHT_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A server that runs. It does not outlive the test.
pub(crate) struct Started {
    child: Child,
    /// Whether the server is the child of what was started.
    is_inside: bool,
    events: Arc<Mutex<Vec<Value>>>,
    pub(crate) address: SocketAddr,
    pub(crate) health: u16,
    pub(crate) folder: tempfile::TempDir,
}

impl Started {
    /// A server of the functions of the tests, all loaded. The lines of `server` are of its section; other sections may
    /// follow them.
    pub(crate) fn new(server: &str) -> Self {
        Self::serving("functions", server)
    }

    /// A server of the functions of another module.
    pub(crate) fn serving(modules: &str, server: &str) -> Self {
        Self::launch("gooddata_flexconnect", &interpreter(), modules, server, |_, _| ())
    }

    /// A server of what a methods provider makes in an interpreter.
    pub(crate) fn of(provider: &str, interpreter: &Path, server: &str) -> Self {
        Self::launch(provider, interpreter, "functions", server, |_, _| ())
    }

    /// A server whose command is completed before it begins, with its folder at hand.
    pub(crate) fn beginning(modules: &str, server: &str, complete: impl FnOnce(&mut Command, &Path)) -> Self {
        Self::launch("gooddata_flexconnect", &interpreter(), modules, server, complete)
    }

    fn launch(
        provider: &str,
        interpreter: &Path,
        modules: &str,
        server: &str,
        complete: impl FnOnce(&mut Command, &Path),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, health) = (free_port(), free_port());
        let toml = format!(
            "[flexconnect]\nfunctions = ['{modules}']\n[flexfun]\nfunctions = ['flexfuns']\n[server]\nlisten_port = {port}\nadvertise_host = 'localhost'\n\
             health_check_host = '127.0.0.1'\nhealth_check_port = {health}\ntask_cancel_grace_sec = 1\n\
             propagation_delay_sec = 0\n{server}"
        );
        let mut command = command(&toml, folder.path());
        command
            .env("GOODDATA_FLIGHT_PYTHON__INTERPRETER", interpreter)
            .args(["start", "--methods-provider", provider, "--config"])
            .arg(folder.path().join("server.toml"));
        complete(&mut command, folder.path());
        let started = Self::spawn(command, port, health, folder);
        started.event("rpc_enabled");
        started
    }

    /// A server that may not be ready, or may end.
    pub(crate) fn spawn(mut command: Command, port: u16, health: u16, folder: tempfile::TempDir) -> Self {
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let heard = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                heard.lock().unwrap().push(event);
            }
        });
        Self {
            child,
            is_inside: false,
            events,
            address: ([127, 0, 0, 1], port).into(),
            health,
            folder,
        }
    }

    /// What was started is a container, and the server the first process in it.
    pub(crate) fn in_container(mut self) -> Self {
        self.is_inside = true;
        self
    }

    /// All events of a name so far.
    pub(crate) fn events(&self, name: &str) -> Vec<Value> {
        let events = self.events.lock().unwrap();
        events.iter().filter(|event| event["event"] == name).cloned().collect()
    }

    /// The first event of a name, once its line is written: that is beside the calls.
    pub(crate) fn event(&self, name: &str) -> Value {
        self.until(name, |started| !started.events(name).is_empty());
        self.events(name).swap_remove(0)
    }

    /// The first event whose name holds a text.
    pub(crate) fn event_like(&self, text: &str) -> Value {
        let find = || {
            let events = self.events.lock().unwrap();
            let like = |event: &&Value| event["event"].as_str().is_some_and(|name| name.contains(text));
            events.iter().find(like).cloned()
        };
        self.until(text, |_| find().is_some());
        find().unwrap()
    }

    /// Waits for something to be so.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !condition(self) {
            let last = || {
                let events = self.events.lock().unwrap();
                let lines: Vec<_> = events.iter().rev().take(20).map(ToString::to_string).collect();
                lines.join(
                    "
",
                )
            };
            assert!(
                Instant::now() < deadline,
                "never: {what}; the log, backwards:\n{}",
                last()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until so many workers serve.
    pub(crate) fn has_workers(&self, count: usize) {
        self.until("workers", |started| started.ready_workers() == Some(count as u64));
    }

    /// The server's own process.
    pub(crate) fn process(&self) -> i32 {
        let child = i32::try_from(self.child.id()).unwrap();
        let inside = self.is_inside.then(|| descendants(child)).into_iter().flatten().next();
        inside.unwrap_or(child)
    }

    /// The processes of workers that were started, in their order, those that are gone included.
    pub(crate) fn workers(&self) -> Vec<i32> {
        let started = self.events("python_worker_started");
        started
            .iter()
            .map(|event| i32::try_from(event["pid"].as_i64().unwrap()).unwrap())
            .collect()
    }

    /// Whether `/ready` is green.
    pub(crate) fn is_ready(&self) -> bool {
        self.get("/ready")
            .is_some_and(|answer| answer.starts_with("HTTP/1.1 204"))
    }

    fn get(&self, path: &str) -> Option<String> {
        get(self.health, path)
    }

    /// How many workers serve.
    fn ready_workers(&self) -> Option<u64> {
        let text = self.get("/status")?;
        let status: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1)?).ok()?;
        status["workers"]["ready"].as_u64()
    }

    pub(crate) fn kill(&mut self) {
        kill(self.process());
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&mut self) -> Option<i32> {
        kill_process(Pid::from_raw(self.process()).unwrap(), Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }
}

/// The answer to a request over plain HTTP.
pub(crate) fn get(port: u16, path: &str) -> Option<String> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

impl Drop for Started {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(self.process());
        }
        let _ = self.child.wait();
    }
}

/// Whether a process runs; one that waits to be reaped does not.
pub(crate) fn runs(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// The processes below one, at any depth.
pub(crate) fn descendants(process: i32) -> Vec<i32> {
    let children = |process: i32| -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{process}/task"))
            .into_iter()
            .flatten()
            .flatten();
        let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        lists
            .flat_map(|list| {
                list.split_whitespace()
                    .map(|pid| pid.parse().unwrap())
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let mut found = children(process);
    let mut at = 0;
    while at < found.len() {
        found.extend(children(found[at]));
        at += 1;
    }
    found
}

pub(crate) fn kill(process: i32) {
    kill_process(Pid::from_raw(process).unwrap(), Signal::KILL).unwrap();
}
