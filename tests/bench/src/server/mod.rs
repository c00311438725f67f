//! The servers that are measured, as processes: ours and the vendor's, with the same functions, token and certificate.

mod configuration;

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use http::HeaderValue;
use rustix::process::{Pid, Signal, kill_process};
use toml::Table;

use self::configuration::configuration;
use crate::certificate::Certificate;
use crate::client::Target;
use crate::machine::tree;

/// What callers show.
pub(crate) const TOKEN: &str = "the-token-of-the-benchmark";
const READY_WITHIN: Duration = Duration::from_mins(1);
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Maker {
    /// Ours, with functions in Rust.
    Ours,
    /// Ours, with the vendor's functions in Python.
    Workers,
    Vendor,
}

impl Maker {
    pub(crate) const BOTH: [Self; 2] = [Self::Ours, Self::Vendor];
    /// Both with the same modules.
    pub(crate) const PYTHON: [Self; 2] = [Self::Workers, Self::Vendor];
}

/// Where programs and data are.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// Our server, with functions built in.
    pub(crate) ours: PathBuf,
    /// Our server as it is released, for functions in Python.
    pub(crate) released: PathBuf,
    /// The folder of the Python environment's programs.
    pub(crate) python: PathBuf,
    /// The folder of the functions in Python.
    pub(crate) functions: PathBuf,
    /// The table `Wide` for Python.
    pub(crate) wide: PathBuf,
    /// Configurations, certificates, and logs where they are kept.
    pub(crate) folder: PathBuf,
    /// Servers write their logs here; else to the null device, as those of the reference did.
    pub(crate) logs: Option<PathBuf>,
    pub(crate) certificate: Certificate,
}

/// How a server is started, beyond what all have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) tls: bool,
    /// `[server]` of both.
    pub(crate) server: Table,
    /// `[server]` of ours alone.
    pub(crate) ours: Table,
    /// `[flexconnect]` of ours alone.
    pub(crate) flexconnect: Table,
}

/// A server that answers. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) target: Target,
    /// Where its metrics are.
    pub(crate) metrics: SocketAddr,
    /// From its start to the first good answer of `/ready`.
    pub(crate) start_up: Duration,
}

impl Server {
    /// Starts a server and waits until it is ready.
    pub(crate) fn start(maker: Maker, installation: &Installation, setup: &Setup) -> anyhow::Result<Self> {
        let [flight, health, metrics] = free_ports()?;
        let name = format!("{maker:?}-{}", flight.port()).to_lowercase();
        let file = installation.folder.join(format!("{name}.toml"));
        fs::write(
            &file,
            configuration(maker, installation, setup, [flight, health, metrics]),
        )?;
        let mut command = command(maker, installation, &file);
        match &installation.logs {
            None => command.stdout(Stdio::null()).stderr(Stdio::null()),
            Some(folder) => {
                let log = File::create(folder.join(format!("{name}.log")))?;
                command.stdout(log.try_clone()?).stderr(log)
            }
        };
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
        let mut server = Self {
            child,
            target: Target {
                address: flight,
                tls: setup.tls.then(|| installation.certificate.client.clone()),
                authorization: HeaderValue::from_str(&format!("Bearer {TOKEN}"))?,
            },
            metrics,
            start_up: Duration::ZERO,
        };
        server.await_ready(health, began).with_context(|| {
            format!("{command:?} did not get ready: run it by hand, or give --logs DIR, to see why")
        })?;
        server.start_up = began.elapsed();
        Ok(server)
    }

    fn await_ready(&mut self, health: SocketAddr, began: Instant) -> anyhow::Result<()> {
        while get(health, "/ready")
            .is_none_or(|answer| !answer.starts_with("HTTP/1.1 204") && !answer.starts_with("HTTP/1.0 204"))
        {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}");
            }
            if began.elapsed() > READY_WITHIN {
                bail!("it took more than {READY_WITHIN:?}");
            }
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The server and the processes it started.
    pub(crate) fn processes(&self) -> Vec<u32> {
        tree(self.pid())
    }

    /// What its metrics endpoint says.
    pub(crate) fn scrape(&self) -> anyhow::Result<String> {
        get(self.metrics, "/metrics").context("the metrics endpoint does not answer")
    }

    /// Asks it to end, and takes the exit code; a server that stays must be killed, which is an error.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(Pid::from_raw)
            .context("no such process")?;
        kill_process(pid, Signal::TERM)?;
        let asked = Instant::now();
        while asked.elapsed() < ENDS_WITHIN {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("the server ended with {status}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("the server did not end within {ENDS_WITHIN:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(maker: Maker, installation: &Installation, file: &Path) -> Command {
    let mut command = match maker {
        Maker::Ours => Command::new(&installation.ours),
        Maker::Workers => Command::new(&installation.released),
        Maker::Vendor => Command::new(installation.python.join("gooddata-flight-server")),
    };
    command.arg("start");
    if maker == Maker::Vendor {
        command.args(["--methods-provider", "gooddata_flexconnect"]);
    }
    command.arg("--config").arg(file).stdin(Stdio::null());
    command.env_clear();
    command.envs(
        ["PATH", "HOME", "LANG", "TMPDIR"]
            .iter()
            .filter_map(|&name| Some((name, std::env::var_os(name)?))),
    );
    command.env("PYTHONPATH", &installation.functions);
    command.env("FLEXCONNECT_BENCH_WIDE", &installation.wide);
    command
}

/// An HTTP answer with its head, if somebody answers.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Ports that nobody listens on now.
fn free_ports() -> anyhow::Result<[SocketAddr; 3]> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // All of them are held until the last is found, so that they differ.
    let listeners = [bind()?, bind()?, bind()?];
    let mut ports = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?;
    }
    Ok(ports)
}
