//! `config`: what the configuration comes to, and what is wrong with it.

mod view;

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use tokio::runtime::Runtime;

use super::terminal::say;
use super::{ConfigArguments, Outcome};
use crate::app::check::Findings;
use crate::app::{Server, StartError};
use crate::config::{self, Inputs, Mistakes, Survey};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print every setting, its value, and where that is from.
    ///
    /// Secrets are hidden. Mistakes follow on stderr, and the exit code is 1 then.
    #[command(after_help = "Examples:\n  \
        config show\n  \
        config show --config server.toml flexconnect.toml\n  \
        config show --written --config server.toml --format toml\n  \
        config show --format json | jq '.[] | select(.key == \"server.listen_port\")'")]
    Show(ShowArguments),
    /// Tell everything that is wrong with the configuration, and start nothing.
    ///
    /// Names, types, ranges and combinations are checked, and then what they name: certificate and key, the keys of tokens
    /// in a file, the folder for results, the functions with limits. Ports are not opened, functions are not loaded, and
    /// nobody is asked over the network.
    #[command(after_help = "Examples:\n  \
        config check --config server.toml\n  \
        GOODDATA_FLIGHT_SERVER__USE_TLS=yes config check\n\n\
        Exit codes: 0 when a server would start with it, 1 when not. Warnings do not count.")]
    Check(ConfigArguments),
    /// Print the reference page of all settings, in Markdown.
    Reference,
}

#[derive(Debug, Args)]
struct ShowArguments {
    /// How to print them.
    #[arg(short = 'o', long = "format", value_name = "FORMAT", value_enum, default_value_t = view::Format::Table)]
    format: view::Format,
    /// Leave out what nobody wrote.
    #[arg(long)]
    written: bool,
    #[command(flatten)]
    config: ConfigArguments,
}

pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    match arguments.command {
        Command::Show(arguments) => show(arguments),
        Command::Check(arguments) => check(server, arguments),
        Command::Reference => {
            write!(io::stdout().lock(), "{}", config::reference())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn show(arguments: ShowArguments) -> Outcome {
    let Survey {
        mut entries,
        mistakes,
        warnings,
    } = config::survey(&Inputs::of_this_process(arguments.config.config)?)?;
    if arguments.written {
        entries.retain(|entry| matches!(entry.value, config::Shown::Written(_)));
    }
    write!(io::stdout().lock(), "{}", view::render(arguments.format, &entries))?;
    warn(&warnings);
    if mistakes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Mistakes(mistakes).into())
}

/// Why a server would not start.
#[derive(Debug, thiserror::Error)]
struct Refused(Vec<StartError>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "a server would not start: {}", telemetry::chain(one)),
            many => {
                write!(f, "a server would not start, for {} reasons:", many.len())?;
                many.iter()
                    .try_for_each(|error| write!(f, "\n  - {}", telemetry::chain(error)))
            }
        }
    }
}

fn check(server: Server, arguments: ConfigArguments) -> Outcome {
    let files = arguments.config.len();
    let (config, warnings) = arguments.load()?;
    warn(&warnings);
    let Findings { errors, doubts } = Runtime::new()?.block_on(server.check(&config));
    warn(&doubts);
    if !errors.is_empty() {
        return Err(Refused(errors).into());
    }
    let colour = io::stdout().is_terminal();
    let (green, plain) = if colour { ("\u{1b}[32m", "\u{1b}[0m") } else { ("", "") };
    let files = match files {
        0 => "without files".to_owned(),
        1 => "with 1 file".to_owned(),
        files => format!("with {files} files"),
    };
    let doubts = match warnings.len() + doubts.len() {
        0 => String::new(),
        1 => "; 1 warning".to_owned(),
        warnings => format!("; {warnings} warnings"),
    };
    writeln!(io::stdout(), "{green}ok{plain}: a server would start {files}{doubts}")?;
    Ok(ExitCode::SUCCESS)
}

fn warn(warnings: &[impl fmt::Display]) {
    for warning in warnings {
        say(&format_args!("warning: {warning}"));
    }
}
