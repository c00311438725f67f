//! The binary as people run it: arguments, messages, signals, exit codes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::harness::{SOON, free_port};

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flexconnect-server"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GOODDATA_FLIGHT_") || name == "RUST_LOG") {
        command.env_remove(name);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A server that runs, with the events it logs. It does not outlive the test.
pub(crate) struct Started {
    child: Child,
    log: BufReader<ChildStderr>,
    port: u16,
}

impl Started {
    pub(crate) fn new(toml: &str) -> Self {
        let mut started = Self::starting(&format!("advertise_host = 'localhost'\n{toml}"));
        started.await_event("rpc_enabled");
        started
    }

    /// A server of these settings, with nothing of its log read.
    fn starting(toml: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = file(
            &folder,
            "server.toml",
            &format!("[server]\nlisten_port = {port}\n{toml}"),
        );
        let mut child = binary().arg("start").arg("--config").arg(&config).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        // The folder must be there until the configuration was read.
        log.fill_buf().unwrap();
        Self { child, log, port }
    }

    /// The Flight port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Memory that is the process's own, in bytes.
    pub(crate) fn anonymous_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    fn next_event(&mut self) -> Value {
        let mut line = String::new();
        assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log ended");
        serde_json::from_str(&line).unwrap()
    }

    /// Reads the log up to an event.
    fn await_event(&mut self, name: &str) -> Value {
        loop {
            let event = self.next_event();
            if event["event"] == name {
                return event;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server did not end");
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_drains_and_exits_with_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Started::new("propagation_delay_sec = 0");
        server.signal(signal);
        server.await_event("drain_lame_duck");
        server.await_event("drain_closing");
        server.await_event("server_main_finished");
        assert_eq!(server.exit_code(), Some(0));
    }
}

#[test]
fn a_second_signal_exits_at_once() {
    let mut server = Started::new("lame_duck_sec = 600\npropagation_delay_sec = 600");
    server.signal(Signal::TERM);
    server.await_event("drain_lame_duck");
    server.signal(Signal::TERM);
    server.await_event("drain_abandoned");
    assert_eq!(server.exit_code(), Some(1));
}

#[test]
fn all_mistakes_are_printed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(&folder, "server.toml", "[server]\nlisten_port = 70000\nuse_mtls = true");
    let output = binary()
        .args(["start", "--config"])
        .arg(&config)
        .env("GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS", "hush")
        .env("GOODDATA_FLIGHT_SERVER__USE_TLS", "FALSE")
        .output()
        .unwrap();
    let file = config.display();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        format!(
            "error: the configuration has 3 mistakes:\n  \
             - enumerated_tokens.tokens = (hidden) (in the variable GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS): must be \
             a list, and every token a text in quotes; write a list of texts: tokens = [\"…\"], or \
             GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS='[\"…\"]'\n  \
             - server.listen_port = 70000 (in {file}:2): must be a valid port number; write an integer from 1 to 65535\n  \
             - server.use_mtls = true (in {file}:3): clients cannot be asked for certificates on a plain-text port; set \
             use_tls = true, or use_mtls = false\n"
        )
    );
}

#[test]
fn a_taken_port_and_unreadable_tls_stop_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = binary()
        .arg("start")
        .env("GOODDATA_FLIGHT_SERVER__LISTEN_PORT", port.to_string())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("error: cannot listen on 127.0.0.1:{port} for Flight");
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));

    let output = binary()
        .arg("start")
        .env("GOODDATA_FLIGHT_SERVER__USE_TLS", "true")
        .env("GOODDATA_FLIGHT_SERVER__TLS_CERTIFICATE", "@/nowhere/tls.crt")
        .env("GOODDATA_FLIGHT_SERVER__TLS_PRIVATE_KEY", "@/nowhere/tls.key")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("error: server.tls_certificate (/nowhere/tls.crt, in the variable "));
}

#[test]
fn misspelled_settings_are_warned_of_in_the_log() {
    let mut server = Started::starting("listen_hots = 'x'");
    let warning = server.await_event("config_warning");
    assert_eq!(warning["key"], "server.listen_hots");
    assert_eq!(
        warning["advice"],
        "is unknown and has no effect: did you mean server.listen_host?"
    );
    server.await_event("no_functions_registered");
}

#[test]
fn an_address_that_nobody_chose_is_warned_of_in_the_log() {
    let warning = Started::starting("").await_event("advertise_host_not_set");
    assert_eq!(warning["level"], "warning");
    assert_eq!(
        warning["advice"],
        "set server.advertise_host to a name that clients can reach"
    );
    let mut chosen = Started::starting("advertise_host = 'localhost'");
    let mut before = std::iter::repeat_with(|| chosen.next_event()).take_while(|event| event["event"] != "rpc_enabled");
    assert!(before.all(|event| event["event"] != "advertise_host_not_set"));
}

#[test]
fn readable_logs_have_no_colour_where_there_is_no_terminal() {
    let mut child = binary()
        .args(["start", "--dev-log"])
        .env("GOODDATA_FLIGHT_SERVER__LISTEN_PORT", free_port().to_string())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        line.contains("[info   ] server_startup") && !line.contains('\u{1b}'),
        "{line}"
    );
}

#[test]
fn commands_answer_with_one_sentence_and_an_exit_code() {
    let output = binary().args(["call", "Sales"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "error: there is no function 'Sales'; none is registered\n"
    );

    let output = binary().args(["functions", "--format", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "[]\n");

    let mut wrong = binary().args(["start", "--port", "1"]).spawn().unwrap();
    let mut text = String::new();
    wrong.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(wrong.wait().unwrap().code(), Some(2), "{text}");
}
