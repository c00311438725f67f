//! A table for people: column types in its header, nulls visible, never wider than the terminal.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement};

use crate::cli::terminal::harmless;

/// The narrowest that a column is made so that others fit.
const NARROW: usize = 8;

/// What a column takes beside its content.
const BORDER: usize = 3;

/// Characters of a value that are shown.
const VALUE_LIMIT: usize = 300;

/// Rows that become a table once all of them are there.
pub(in crate::cli) struct Table {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    width: Option<u16>,
}

impl Table {
    /// A table no wider than `width` characters, where there is such a bound.
    pub(super) fn new(schema: SchemaRef, width: Option<u16>) -> Self {
        Self {
            schema,
            batches: Vec::new(),
            width,
        }
    }

    pub(super) fn push(&mut self, rows: RecordBatch) {
        self.batches.push(rows);
    }

    /// The table, and the names of the columns that did not fit.
    pub(super) fn render(&self) -> Result<(String, Vec<String>), ArrowError> {
        let fields = self.schema.fields();
        let shown = fitting(fields.len(), self.width);
        let mut table = new_table(self.width);
        table.set_header(
            fields[..shown]
                .iter()
                .map(|field| Cell::new(format!("{}\n{}", printable(field.name()), field.data_type()))),
        );
        let options = FormatOptions::new().with_null("null").with_display_error(true);
        for batch in &self.batches {
            let columns = batch.columns()[..shown]
                .iter()
                .map(|column| {
                    Ok((
                        ArrayFormatter::try_new(column, &options)?,
                        is_number(column.data_type()),
                    ))
                })
                .collect::<Result<Vec<_>, ArrowError>>()?;
            for row in 0..batch.num_rows() {
                table.add_row(columns.iter().map(|(values, number)| {
                    let cell = Cell::new(printable(&values.value(row).to_string()));
                    cell.set_alignment(if *number {
                        CellAlignment::Right
                    } else {
                        CellAlignment::Left
                    })
                }));
            }
        }
        let hidden = fields[shown..].iter().map(|field| field.name().clone()).collect();
        Ok((table.to_string(), hidden))
    }
}

/// An empty table in our style.
pub(in crate::cli) fn new_table(width: Option<u16>) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if let Some(width) = width {
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width);
    }
    table
}

/// How many of so many columns a table of this width can show.
fn fitting(columns: usize, width: Option<u16>) -> usize {
    match width {
        Some(width) => columns.min((usize::from(width) / (NARROW + BORDER)).max(1)),
        None => columns,
    }
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// A value as a terminal may see it: in one line, without control characters, and not endless.
fn printable(text: &str) -> String {
    let shown = match text.char_indices().nth(VALUE_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    harmless(&shown).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn rows(columns: &[(&str, ArrayRef)]) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.iter().map(|(name, column)| (*name, Arc::clone(column), true)))
            .expect("columns of one length")
    }

    fn table(rows: RecordBatch, width: Option<u16>) -> (String, Vec<String>) {
        let mut table = Table::new(rows.schema(), width);
        table.push(rows);
        table.render().expect("values that can be shown")
    }

    #[test]
    fn types_and_nulls_are_visible_and_numbers_stand_right() {
        let region: ArrayRef = Arc::new(StringArray::from(vec![Some("EMEA"), None]));
        let sales: ArrayRef = Arc::new(Int64Array::from(vec![1, 1000]));
        let (text, hidden) = table(rows(&[("region", region), ("sales", sales)]), None);
        assert!(hidden.is_empty());
        assert_eq!(
            text,
            "┌────────┬───────┐\n\
             │ region ┆ sales │\n\
             │ Utf8   ┆ Int64 │\n\
             ╞════════╪═══════╡\n\
             │ EMEA   ┆     1 │\n\
             │ null   ┆  1000 │\n\
             └────────┴───────┘"
        );
    }

    #[test]
    fn no_table_is_wider_than_the_terminal() {
        let long: ArrayRef = Arc::new(StringArray::from(vec!["long ".repeat(40)]));
        let names: Vec<String> = (0..30).map(|number| format!("a_column_with_number_{number}")).collect();
        let columns: Vec<(&str, ArrayRef)> = names.iter().map(|name| (name.as_str(), Arc::clone(&long))).collect();
        for (width, shown) in [(80, 7), (200, 18), (5, 1)] {
            let (text, hidden) = table(rows(&columns), Some(width));
            assert_eq!(hidden, names[shown..], "{width}");
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(width < 11 || widest <= usize::from(width), "{widest} of {width}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable(&"x".repeat(1000)).chars().count(), VALUE_LIMIT + 1);
    }

    #[test]
    fn a_table_without_rows_has_a_header() {
        let schema = Arc::new(Schema::new(vec![Field::new("region", DataType::Utf8, false)]));
        let (text, _) = Table::new(schema, None).render().expect("nothing to show");
        assert!(text.contains("region") && text.contains("Utf8"), "{text}");
    }
}
