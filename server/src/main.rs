//! A server without functions: what a deployment looks like before its first function is written.

use std::process::ExitCode;

use flexconnect_server::{Server, cli};

fn main() -> ExitCode {
    cli::run(Server::builder().build())
}
