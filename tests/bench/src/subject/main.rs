//! The server that is measured: functions like those of `python/bench_functions.py`, and those of the soak.

mod failing;
mod results;
mod waiting;

use std::process::ExitCode;

use flexconnect_server::memory::Allocator;
use flexconnect_server::{Server, cli};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    let tiny = match results::Tiny::new() {
        Ok(tiny) => tiny,
        Err(error) => {
            eprintln!("cannot build the rows of Tiny: {error}");
            return ExitCode::FAILURE;
        }
    };
    cli::run(
        Server::builder()
            .function(tiny)
            .function(results::Wide)
            .function(results::Stream)
            .function(results::SmallBatches)
            .function(results::Blob)
            .function(waiting::Cpu)
            .function(waiting::Sleep)
            .function(failing::Fail)
            .function(failing::Panic)
            .build(),
    )
}
