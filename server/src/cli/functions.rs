//! `functions`: what the server offers.

use std::io::{self, Write as _};
use std::process::ExitCode;

use arrow::datatypes::Field;
use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{ConfigArguments, Outcome};
use crate::app::Server;
use crate::function::{LoadContext, RegisteredFunction};
use crate::net;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How to print them.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One line per column.
    Table,
    /// A list of objects.
    Json,
}

/// Functions are loaded first: one that could not start is told here and not listed.
pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    let config = super::quiet_start(arguments.config)?;
    let registry = server.into_registry()?;
    let location = net::location(&config.server.advertise, config.server.tls.is_some());
    Runtime::new()?.block_on(registry.load(&LoadContext::new(config.tables, location)))?;
    let text = match arguments.output {
        Format::Table => table(registry.iter().map(AsRef::as_ref)),
        Format::Json => format!(
            "{:#}",
            registry.iter().map(|function| as_json(function)).collect::<Value>()
        ),
    };
    writeln!(io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}

fn table<'f>(functions: impl Iterator<Item = &'f RegisteredFunction>) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_header(["function", "column", "type", "nullable"]);
    for function in functions {
        let mut name = function.name();
        for field in function.schema().fields() {
            table.add_row([
                name,
                field.name(),
                &field.data_type().to_string(),
                if field.is_nullable() { "yes" } else { "no" },
            ]);
            name = "";
        }
        if function.schema().fields().is_empty() {
            table.add_row([name, "", "", ""]);
        }
    }
    table.to_string()
}

fn as_json(function: &RegisteredFunction) -> Value {
    let column = |field: &Field| json!({"name": field.name(), "type": field.data_type().to_string(), "nullable": field.is_nullable()});
    json!({
        "functionName": function.name(),
        "columns": function.schema().fields().iter().map(|field| column(field)).collect::<Value>(),
        "metadata": function.metadata(),
    })
}
