//! The host as a child of this process.
//!
//! One thread starts it and waits for its end, and lives as long as the server: the kernel ends a process that asked to
//! die with its parent when the *thread* ends that started it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process_group};

/// Lines of the host's last words that are kept.
const WORDS: usize = 20;

/// Sections of settings that are the server's own; what variables say of them, workers must not know.
const OURS: [&str; 4] = ["SERVER__", "ENUMERATED_TOKENS__", "JWT__", "FLEXCONNECT__"];
const PREFIX: &str = "GOODDATA_FLIGHT_";

/// How the host is started.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) interpreter: PathBuf,
    pub(super) package: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) environment: Vec<(OsString, OsString)>,
}

/// How the host ended.
#[derive(Debug)]
pub(super) struct HostEnded {
    /// Which one it was, counted from one.
    pub(super) number: u64,
    /// In words, such as `exit status: 1`.
    pub(super) how: String,
    /// What it wrote last.
    pub(super) words: String,
}

/// Starts the host, one after the other.
#[derive(Debug)]
pub(super) struct Keeper {
    starts: mpsc::Sender<()>,
    process: Arc<AtomicI32>,
}

impl Keeper {
    /// A thread that starts hosts when it is told to, and tells of their ends.
    pub(super) fn start(program: Program, ended: impl Fn(HostEnded) + Send + 'static) -> io::Result<Self> {
        let (starts, orders) = mpsc::channel();
        let process = Arc::new(AtomicI32::new(0));
        let current = Arc::clone(&process);
        std::thread::Builder::new()
            .name("python-host".to_owned())
            .spawn(move || {
                for number in 1.. {
                    if orders.recv().is_err() {
                        return;
                    }
                    ended(run(&program, number, &current));
                }
            })?;
        Ok(Self { starts, process })
    }

    /// Starts the next one, once the one before has ended.
    pub(super) fn start_one(&self) {
        // The thread lives as long as this does.
        let _ = self.starts.send(());
    }

    /// The process of the host, zero when there is none.
    pub(super) fn process(&self) -> Process {
        Process(Arc::clone(&self.process))
    }
}

/// The process of the host that runs. Clones follow the same one.
#[derive(Clone, Debug)]
pub(super) struct Process(Arc<AtomicI32>);

impl Process {
    /// Its number; `None` when there is none.
    pub(super) fn id(&self) -> Option<i32> {
        Some(self.0.load(Ordering::Acquire)).filter(|id| *id > 0)
    }

    /// Kills a host that does not end.
    pub(super) fn kill(&self) {
        if let Some(process) = self.id().and_then(Pid::from_raw) {
            // It may have ended in this moment.
            let _ = kill_process_group(process, Signal::KILL);
        }
    }
}

fn run(program: &Program, number: u64, current: &AtomicI32) -> HostEnded {
    let child = Command::new(&program.interpreter)
        .arg("-I")
        .arg(&program.package)
        .args(["host", "--once", "--socket"])
        .arg(&program.socket)
        .env_clear()
        .envs(program.environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    match child {
        Ok(mut child) => {
            current.store(i32::try_from(child.id()).unwrap_or(0), Ordering::Release);
            let words = last_words(&mut child);
            let ended = child.wait();
            current.store(0, Ordering::Release);
            let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            HostEnded { number, how, words }
        }
        Err(error) => HostEnded {
            number,
            how: format!("cannot start {}: {error}", program.interpreter.display()),
            words: String::new(),
        },
    }
}

/// Logs what a host writes until it ends; the last lines are told.
fn last_words(child: &mut Child) -> String {
    let mut words = VecDeque::new();
    let lines = child.stderr.take().map(|stderr| BufReader::new(stderr).split(b'\n'));
    for line in lines.into_iter().flatten().map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        tracing::warn!(line, "python_host_output");
        if words.len() == WORDS {
            words.pop_front();
        }
        words.push_back(line);
    }
    words.make_contiguous().join("\n")
}

/// What workers see of the environment: all but the server's own settings, with more folders to look for modules in.
pub(super) fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
    folders: &[PathBuf],
) -> Vec<(OsString, OsString)> {
    const PYTHONPATH: &str = "PYTHONPATH";
    let mut kept = Vec::new();
    let mut path: Vec<PathBuf> = folders.to_vec();
    for (name, value) in variables {
        let text = name.to_string_lossy().to_uppercase();
        let section = text.strip_prefix(PREFIX);
        let ours = section.is_some_and(|section| OURS.iter().any(|ours| section.starts_with(ours)));
        if name == PYTHONPATH {
            path.extend(std::env::split_paths(&value).filter(|folder| !folder.as_os_str().is_empty()));
        } else if !ours {
            kept.push((name, value));
        }
    }
    if !path.is_empty()
        && let Ok(path) = std::env::join_paths(path)
    {
        kept.push((PYTHONPATH.into(), path));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_server_stay_with_it() {
        let variables = [
            ("PATH", "/bin"),
            ("PYTHONPATH", "/a:/b"),
            ("GOODDATA_FLIGHT_ENUMERATED_TOKENS__TOKENS", "secret"),
            ("gooddata_flight_server__tls_private_key", "secret"),
            ("GOODDATA_FLIGHT_SALES__TOKEN", "of a function"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let environment = environment(variables.into_iter(), &[PathBuf::from("/src")]);
        let expected = [
            ("PATH", "/bin"),
            ("GOODDATA_FLIGHT_SALES__TOKEN", "of a function"),
            ("PYTHONPATH", "/src:/a:/b"),
        ];
        assert_eq!(environment, expected.map(|(name, value)| (name.into(), value.into())));
    }
}
