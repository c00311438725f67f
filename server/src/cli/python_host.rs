//! `python-host`: puts the worker host where another container finds it.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Outcome;
use crate::worker::install_host;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A folder that both containers have. The files go into `flexconnect_worker` in it.
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
}

/// The files cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the worker host cannot be written to {}", .folder.display())]
struct NotWritten {
    folder: PathBuf,
    source: io::Error,
}

pub(super) fn run(arguments: Arguments) -> Outcome {
    let Arguments { into } = arguments;
    let package = install_host(&into).map_err(|source| NotWritten { folder: into, source })?;
    writeln!(io::stdout(), "{}", package.display())?;
    Ok(ExitCode::SUCCESS)
}
