//! A server without functions: what a deployment looks like before its first function is written.

use std::process::ExitCode;

use flexconnect_server::memory::Allocator;
use flexconnect_server::{Server, cli};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    cli::run(Server::builder().build())
}
