//! The program: `start`, `functions`, `call NAME`; see `--help`.

use std::process::ExitCode;

use flexconnect_server::cli;

fn main() -> ExitCode {
    cli::run(flexconnect_example::server())
}
