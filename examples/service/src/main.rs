//! `shelf`: see the README.

use std::process::ExitCode;

use flexconnect_server::cli;

fn main() -> ExitCode {
    cli::run(flexconnect_example_service::server())
}
