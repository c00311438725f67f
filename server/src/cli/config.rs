//! `config`: what the configuration comes to, and what is wrong with it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Outcome;
use crate::config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the reference page of all settings.
    #[command(hide = true)]
    Reference,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    match arguments.command {
        Command::Reference => write!(io::stdout().lock(), "{}", config::reference())?,
    }
    Ok(ExitCode::SUCCESS)
}
