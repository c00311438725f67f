//! The operator of FlexConnect for Kubernetes.

use std::process::ExitCode;

use clap::Parser as _;
use flexconnect_operator::cli::{self, Cli};
use flexconnect_operator::runtime::allocator::Allocator;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// The operator waits most of the time; a thread for each core of a large node would only cost memory.
const WORKER_THREADS: usize = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("Error: TLS was set up twice");
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(cli::run(cli)),
        Err(error) => {
            eprintln!("Error: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}
