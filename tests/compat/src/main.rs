//! A server with functions of every kind, good and bad. `python/compat_functions` holds the same ones in Python.

mod failures;
mod files;
mod inputs;
mod nested;
mod sample;
mod stage;
mod streams;
mod tables;
mod tasks;

use std::process::ExitCode;

use flexconnect_server::{Server, ServerBuilder, cli};

/// Registers the functions in the order in which the Python server finds its own.
fn main() -> ExitCode {
    let nested = match nested::nested() {
        Ok(nested) => nested,
        Err(error) => {
            eprintln!("cannot build the nested table: {error}");
            return ExitCode::FAILURE;
        }
    };
    let server = tables::all()
        .into_iter()
        .fold(Server::builder(), ServerBuilder::function);
    let server = server
        .function(nested)
        .function(streams::Stream)
        .function(streams::DictionaryStream)
        .function(streams::FailingStream)
        .function(failures::Fail)
        .function(failures::Panic("Panic"))
        .function(failures::Panic("Exit"))
        .function(tasks::Sleeper::default())
        .function(tasks::Stubborn::default())
        .function(tasks::LateLoader)
        .function(inputs::Echo)
        .function(inputs::Settings::default())
        .function(inputs::Context)
        .function(files::Stored);
    cli::run(server.build())
}
