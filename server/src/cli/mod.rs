//! The command line of every binary that serves functions.
//!
//! `fn main() -> ExitCode { cli::run(Server::builder().function(Sales).build()) }` is a whole program.

mod call;
mod config;
mod functions;
mod python_host;
mod remote;
mod rows;
mod start;
mod terminal;

#[cfg(feature = "fuzzing")]
pub(crate) use call::fuzz_argument;
#[cfg(feature = "fuzzing")]
pub(crate) use remote::{fuzz_answer, fuzz_rows, fuzz_url};

use std::error::Error;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::Server;
use crate::config::{Config, Inputs, Mistakes, Warning};
use crate::telemetry::{self, Style};
use terminal::say;

/// Serves FlexConnect functions to GoodData over Arrow Flight.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 120, arg_required_else_help = true)]
#[command(
    after_help = "Settings come from files and from GOODDATA_FLIGHT_SECTION__KEY variables, which win.\n\
    With none at all, the server listens on 127.0.0.1:17001 without TLS and without tokens."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT.
    ///
    /// The first signal drains: calls are served until the news has spread, then running ones finish and results can
    /// be read. The second signal ends the server at once.
    #[command(after_help = "Examples:\n  \
        start\n  \
        start --config server.toml flexconnect.toml\n  \
        GOODDATA_FLIGHT_SERVER__LISTEN_PORT=17002 start --dev-log\n\n\
        Exit codes: 0 after a drain, 1 when the start fails or a second signal comes.")]
    Start(start::Arguments),
    /// List the functions with their columns and metadata.
    #[command(after_help = "Examples:\n  \
        functions\n  \
        functions --config sales.toml --format json\n  \
        functions --url grpc+tls://sales.example.com:17001 --token @token.txt --ca ca.pem")]
    Functions(functions::Arguments),
    /// Run one function and print its rows: here, without a server, or on the server at --url.
    ///
    /// Ctrl-C cancels the call, on a server too. What a function in Python prints goes to standard error, and so do its
    /// warnings; with `RUST_LOG=info`, all that it logs.
    #[command(after_help = "Examples:\n  \
        call Sales\n  \
        call Sales --param year=2025 --param region=EMEA --columns region,revenue\n  \
        call Sales --context @report.json --format json --limit 10\n  \
        call Sales --parameters @request.json --format parquet --output sales.parquet\n  \
        call Sales --url grpc+tls://sales.example.com:17001 --token @token.txt --ca ca.pem\n\n\
        Exit codes: 0 with all rows printed, 1 when the call failed, 2 for wrong usage, 130 after Ctrl-C.")]
    Call(Box<call::Arguments>),
    /// Show or check the configuration.
    Config(config::Arguments),
    /// Put the worker host of Python functions where another container can start it.
    ///
    /// Functions in Python can run in a container of their own, in an image that has Python, pyarrow and
    /// gooddata-flexconnect and nothing of this server. An init container with this server's image runs this command; the
    /// container of the functions then starts the host with its own Python. Files that are there already stay as they are;
    /// others are replaced in one step.
    #[command(
        after_help = "Example, with python.socket = '/run/flexconnect/python.sock' on the server:\n  \
        init container  flexconnect-server python-host --into /flexconnect\n  \
        functions       python3 -I /flexconnect/flexconnect_worker host\n  \
        liveness probe  python3 -I /flexconnect/flexconnect_worker live\n\n\
        Both take --socket PATH for another one. Exit codes: 0 when the files are there, 1 when not."
    )]
    PythonHost(python_host::Arguments),
}

/// Where settings come from.
#[derive(Clone, Debug, Args)]
struct ConfigArguments {
    /// Settings files (.toml, .yaml, .json); the later wins. An `x.local.toml` beside an `x.toml` is read on top of it.
    #[arg(long, value_name = "FILE", num_args = 0..)]
    config: Vec<PathBuf>,
    /// Ends the list of files.
    #[arg(long)]
    config_end: bool,
}

impl ConfigArguments {
    fn load(self) -> Result<(Config, Vec<Warning>), Mistakes> {
        crate::config::load(&Inputs::of_this_process(self.config)?)
    }
}

/// Runs the command that the arguments of this process name.
#[must_use]
pub fn run(server: Server) -> ExitCode {
    // Functions may speak TLS as well; they find the provider that the server uses.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let outcome = match Arguments::parse().command {
        Command::Start(arguments) => start::run(server, arguments),
        Command::Functions(arguments) => functions::run(server, arguments),
        Command::Call(arguments) => call::run(server, *arguments),
        Command::Config(arguments) => config::run(server, arguments),
        Command::PythonHost(arguments) => python_host::run(arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&*error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format_args!("error: {}", telemetry::chain(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// What a command returns; an error is told in one sentence.
type Outcome = Result<ExitCode, Box<dyn Error>>;

/// Configuration and logs of the commands that print something: warnings only, readable.
fn quiet_start(arguments: ConfigArguments) -> Result<Config, Mistakes> {
    telemetry::start_quietly(Style::Readable {
        colour: io::stderr().is_terminal(),
    });
    let (config, warnings) = arguments.load()?;
    for warning in warnings {
        say(&format_args!("warning: {warning}"));
    }
    Ok(config)
}

/// Whether nobody reads what we print any more, as with `| head`.
fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let mut error = Some(error);
    while let Some(current) = error {
        if current
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        {
            return true;
        }
        error = current.source();
    }
    false
}

#[cfg(test)]
mod tests;
