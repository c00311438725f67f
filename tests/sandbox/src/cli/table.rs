//! Rows as people read them.

use std::io::IsTerminal as _;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Table};
use flexconnect_sandbox::Answer;
use serde_json::Value;

/// The table of an answer's rows, and how many more there are. Bold and fitted to the width on a terminal only.
pub(crate) fn render(answer: &Answer) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.force_no_tty();
    }
    table.set_header(
        answer
            .columns
            .iter()
            .map(|column| Cell::new(&column.name).add_attribute(Attribute::Bold)),
    );
    table.add_rows(answer.rows.iter().map(|row| row.iter().map(cell)));
    let more = answer.row_count.saturating_sub(answer.rows.len() as u64);
    if more == 0 {
        table.to_string()
    } else {
        format!("{table}\n… and {more} more")
    }
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::new(""),
        Value::String(text) => Cell::new(text),
        Value::Number(_) => Cell::new(value).set_alignment(CellAlignment::Right),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => Cell::new(value),
    }
}
