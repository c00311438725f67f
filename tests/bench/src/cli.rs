//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures the server beside the vendor's, and beside what the machine can do at best.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure, print the table, and write bench.json and bench.md.
    ///
    /// Ends with 0 when everything was measured, whether or not the targets were reached, and with 1 when something
    /// could not be measured.
    Run(Run),
    /// Call our server in every way for minutes, with cancels, disconnects and panics, and see that nothing grows.
    Soak(Soak),
    /// Print the names of the groups that `run --rows` takes.
    List,
    /// The limit of small calls, as a program of its own.
    #[command(hide = true)]
    Echo,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Groups to measure, with commas between them; all of them by default.
    #[arg(long, value_delimiter = ',', value_name = "GROUP")]
    pub(crate) rows: Vec<String>,
    /// Only the groups of this part.
    #[arg(long)]
    pub(crate) part: Option<Part>,
    /// Only see whether everything works: short and few measurements, other programs tolerated.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often each figure is measured.
    #[arg(long, value_name = "N")]
    pub(crate) repetitions: Option<usize>,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

/// A part of the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Functions in Rust, and the server itself.
    Server,
    /// Functions in Python.
    Python,
}

impl Part {
    /// The part that a group belongs to.
    pub(crate) fn of(group: &str) -> Self {
        if group.starts_with("python-") {
            Self::Python
        } else {
            Self::Server
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Soak {
    /// How long.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) minutes: u32,
    #[command(flatten)]
    pub(crate) programs: Programs,
}

#[derive(Debug, Args)]
pub(crate) struct Programs {
    /// Where the report is written: NAME.json and NAME.md, with NAME bench or soak.
    #[arg(long, value_name = "FOLDER", default_value = "target/reports")]
    pub(crate) out: PathBuf,
    /// The programs of the Python environment with the vendor's server.
    #[arg(long, value_name = "FOLDER", env = "FLEXCONNECT_BENCH_PYTHON")]
    pub(crate) python: PathBuf,
    /// The functions of the vendor's server.
    #[arg(long, value_name = "FOLDER", default_value = "tests/bench/python")]
    pub(crate) functions: PathBuf,
    /// Our server; by default the one beside this program.
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) server: Option<PathBuf>,
    /// Keep the servers' logs here. They are not written otherwise, as writing costs.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) logs: Option<PathBuf>,
}
