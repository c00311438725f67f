//! `flexconnect-sandbox`: stands in for GoodData where GoodData itself cannot run.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

use self::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("flexconnect-sandbox: {failure}");
            ExitCode::FAILURE
        }
    }
}
