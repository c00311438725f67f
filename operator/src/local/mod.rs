//! A fleet as local processes: the same object, read, validated and built as in a cluster, without Kubernetes.
//!
//! Every replica is a process in a group of its own, with free ports on the loopback address, TLS and a token. A data
//! source is registered by the code that registers it in a cluster. Ctrl-C takes the data sources away where their
//! deletion policy says so, drains the replicas and removes the work directory.
//!
//! When this process itself is killed (SIGKILL), nothing can be cleaned up by it: on Linux the kernel tells the replicas
//! to terminate, and they drain by themselves; the work directory and the data source stay. The next run takes the data
//! source over.

mod directory;
mod environment;
mod events;
mod file;
mod fleet;
mod functions;
mod log;
mod ports;
mod process;
mod registrar;
mod replica;
mod report;
mod run;
mod steps;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
pub use report::Format;

use self::directory::WorkDirectory;
use self::file::WatchedFile;
use self::fleet::LocalFleet;
use self::process::{Program, become_tethered, find_server, own_program};
use self::report::Reporter;
use self::run::{Run, Setup};
use crate::build::Secrets;

/// Runs the fleet of a file as processes on this machine, and registers it.
#[derive(Debug, Clone, Args)]
pub struct LocalArgs {
    /// YAML with one `FlexConnectServer`, and the Secrets and `ConfigMaps` that it names; changes are followed.
    #[arg(short, long, value_name = "FILE", required_unless_present = "tethered_to")]
    pub file: Option<PathBuf>,

    /// The server's executable; without it `flexconnect-server`, beside this program or on the PATH.
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,

    /// Where configurations and logs go; logs stay there. Without it a temporary directory, removed at the end.
    #[arg(long, value_name = "DIR")]
    pub work_dir: Option<PathBuf>,

    /// The replicas get the free ports from this one on.
    #[arg(long, value_name = "PORT", default_value_t = 17001, value_parser = clap::value_parser!(u16).range(1..))]
    pub port_base: u16,

    /// Print the replicas' logs to stderr, too, each line with the name of its replica.
    #[arg(short, long)]
    pub verbose: bool,

    /// How events are printed: sentences and a table, or one JSON object a line.
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub output: Format,

    /// For this program itself: becomes COMMAND, which is told to terminate when the process PID ends.
    #[arg(long, value_name = "PID", hide = true, requires = "command")]
    tethered_to: Option<u32>,

    #[arg(last = true, hide = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs until Ctrl-C or SIGTERM. 0 after an orderly end, 1 when the fleet cannot be started; then the reason is on
/// stderr, in one sentence.
pub async fn run(arguments: LocalArgs) -> ExitCode {
    let outcome = match (arguments.tethered_to, &arguments.file) {
        (Some(parent), _) => Err(become_tethered(parent, &arguments.command).to_string()),
        (None, Some(file)) => run_fleet(file, &arguments).await,
        // The command line does not let this through.
        (None, None) => Err("name the file with -f".to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("Error: {sentence}");
            ExitCode::FAILURE
        }
    }
}

async fn run_fleet(path: &Path, arguments: &LocalArgs) -> Result<(), String> {
    let mut kept = Secrets::default();
    let (file, text) = WatchedFile::open(path)?;
    let fleet =
        LocalFleet::read(&text, &mut kept).map_err(|error| format!("{}: {}", path.display(), error.sentence()))?;
    let program = Program {
        path: find_server(arguments.server.as_deref())?,
        tether: Some(own_program().map_err(|error| format!("cannot find this program itself: {error}"))?),
    };
    let directory = WorkDirectory::open(arguments.work_dir.as_deref()).map_err(|error| {
        let cause = std::error::Error::source(&error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        format!("{error}{cause}")
    })?;
    let setup = Setup {
        program,
        port_base: arguments.port_base,
        verbose: arguments.verbose,
        reporter: Arc::new(Reporter::new(arguments.output)),
        directory,
    };
    let outcome = Run::new(setup, fleet, kept).run(file).await;
    outcome.map_err(|error| format!("the fleet cannot go on: {error}"))
}
