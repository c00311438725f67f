//! The command line.

mod client;
mod query;
mod serve;
mod table;

use std::error::Error;
use std::fmt;

use clap::{Parser, Subcommand};

/// Stands in for GoodData: its REST API for data sources, and queries through a registered FlexConnect data source.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  flexconnect-sandbox serve                        on http://127.0.0.1:3000, token sandbox-token
  flexconnect-sandbox query sales Sales            the rows of the function `Sales`, once registered
  flexconnect-sandbox help serve                   what it can do wrong on purpose";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve GoodData's API until Ctrl-C or SIGTERM.
    Serve(serve::Serve),
    /// Run a function through a data source of a running sandbox and print its rows.
    Query(query::QueryCommand),
}

/// Why a command failed, in one sentence.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// The sentence of an error, its causes after it.
    fn of(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Cli {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Query(query) => query.run().await,
        }
    }
}
