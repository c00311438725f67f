//! `functions`: what the functions of this program are, or those of a server.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use arrow::datatypes::{Field, SchemaRef};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::remote::{self, Listed, ServerArguments};
use super::rows::new_table;
use super::terminal::harmless;
use super::{ConfigArguments, Outcome};
use crate::app::load::with_python;
use crate::app::{Server, StartError};
use crate::config::Config;
use crate::function::{LoadContext, Registry};
use crate::net;
use crate::worker::Setting;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How the list looks.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table for each function, one line per column.
    Table,
    /// A list of objects.
    Json,
}

pub(super) fn run(server: Server, arguments: Arguments) -> Outcome {
    let runtime = Runtime::new()?;
    let functions = if let Some(url) = &arguments.server.url {
        runtime.block_on(async {
            let connection = remote::connect(url, &arguments.server).await?;
            remote::list(connection).await
        })?
    } else {
        let config = super::quiet_start(arguments.config)?;
        let registry = server.into_registry()?;
        runtime.block_on(load(registry, config))?
    };
    let text = match arguments.format {
        Format::Table => sections(&functions, io::stdout().is_terminal()),
        Format::Json => format!("{:#}\n", functions.iter().map(as_json).collect::<Value>()),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Functions are loaded first: one that could not start is told here and not listed.
async fn load(registry: Registry, config: Config) -> Result<Vec<Listed>, StartError> {
    let location = net::location(&config.server.advertise, config.server.tls.is_some());
    let (registry, python) = with_python(registry, Setting::alone(&config, &location)).await?;
    let loaded = registry.load(&LoadContext::new(config.tables, location)).await;
    if let Some(python) = python {
        python.stop().await;
    }
    loaded?;
    Ok(of_registry(&registry))
}

fn of_registry(registry: &Registry) -> Vec<Listed> {
    let listed = registry.iter().map(|function| Listed {
        name: function.name().to_owned(),
        schema: SchemaRef::clone(function.schema()),
        metadata: function.metadata().cloned(),
    });
    listed.collect()
}

/// Name, metadata and a table of columns for each function.
fn sections(functions: &[Listed], terminal: bool) -> String {
    if functions.is_empty() {
        return "There are no functions.\n".to_owned();
    }
    let (bold, plain) = if terminal { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let width = terminal.then(|| comfy_table::Table::new().width()).flatten();
    let sections: Vec<String> = functions
        .iter()
        .map(|function| {
            let metadata = function.metadata.iter().filter_map(Value::as_object).flatten();
            let metadata = metadata.map(|(key, value)| match value.as_str() {
                Some(text) => format!("  {key}: {text}\n"),
                None => format!("  {key}: {value}\n"),
            });
            let (name, metadata) = (harmless(&function.name), harmless(&metadata.collect::<String>()));
            let mut table = new_table(width);
            table.set_header(["column", "type", "nullable"]);
            for field in function.schema.fields() {
                let nullable = if field.is_nullable() { "yes" } else { "no" };
                table.add_row([
                    &harmless(field.name()),
                    &harmless(&field.data_type().to_string()),
                    nullable,
                ]);
            }
            format!("{bold}{name}{plain}\n{metadata}{table}\n")
        })
        .collect();
    sections.join("\n")
}

fn as_json(function: &Listed) -> Value {
    let column = |field: &Field| json!({"name": field.name(), "type": field.data_type().to_string(), "nullable": field.is_nullable()});
    json!({
        "functionName": function.name,
        "columns": function.schema.fields().iter().map(|field| column(field)).collect::<Value>(),
        "metadata": function.metadata,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Schema};

    use super::*;

    fn listed() -> Listed {
        let columns = vec![
            Field::new("region", DataType::Utf8, true),
            Field::new("revenue", DataType::Float64, false),
        ];
        Listed {
            name: "Sales".to_owned(),
            schema: Arc::new(Schema::new(columns)),
            metadata: Some(json!({"description": "Revenue by region", "version": 2})),
        }
    }

    #[test]
    fn functions_are_shown_with_metadata_and_columns() {
        assert_eq!(
            sections(&[listed()], false),
            "Sales\n  description: Revenue by region\n  version: 2\n\
             ┌─────────┬─────────┬──────────┐\n\
             │ column  ┆ type    ┆ nullable │\n\
             ╞═════════╪═════════╪══════════╡\n\
             │ region  ┆ Utf8    ┆ yes      │\n\
             │ revenue ┆ Float64 ┆ no       │\n\
             └─────────┴─────────┴──────────┘\n"
        );
        assert_eq!(sections(&[], false), "There are no functions.\n");
    }

    #[test]
    fn what_a_server_tells_does_nothing_to_the_terminal() {
        let hostile = |text: &str| format!("\u{1b}]0;{text}\u{7}");
        let function = Listed {
            name: hostile("name"),
            schema: Arc::new(Schema::new(vec![Field::new(hostile("column"), DataType::Utf8, true)])),
            metadata: Some(json!({hostile("key"): hostile("value"), "list": [hostile("item")]})),
        };
        let text = sections(&[function], false);
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
        for word in ["name", "column", "key", "value", "item"] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn json_has_the_same() {
        assert_eq!(
            as_json(&listed()),
            json!({
                "functionName": "Sales",
                "columns": [
                    {"name": "region", "type": "Utf8", "nullable": true},
                    {"name": "revenue", "type": "Float64", "nullable": false},
                ],
                "metadata": {"description": "Revenue by region", "version": 2},
            })
        );
    }
}
