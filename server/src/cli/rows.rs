//! Prints rows: as a table, as JSON, as CSV. JSON and CSV are printed as rows come; a table has to see them all first.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use arrow_csv::WriterBuilder as CsvWriterBuilder;
use arrow_json::writer::{JsonArray, WriterBuilder as JsonWriterBuilder};
use clap::ValueEnum;

/// How rows look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// A table.
    Table,
    /// A list of objects.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// Rows on their way to a writer.
pub(super) struct Rows<W: Write> {
    schema: SchemaRef,
    any: bool,
    sink: Sink<W>,
}

enum Sink<W: Write> {
    Table { batches: Vec<RecordBatch>, out: W },
    Json(Box<arrow_json::Writer<W, JsonArray>>),
    Csv(W),
}

impl<W: Write> Rows<W> {
    pub(super) fn new(format: Format, schema: SchemaRef, out: W) -> Self {
        let sink = match format {
            Format::Table => Sink::Table {
                batches: Vec::new(),
                out,
            },
            Format::Json => Sink::Json(Box::new(JsonWriterBuilder::new().with_explicit_nulls(true).build(out))),
            Format::Csv => Sink::Csv(out),
        };
        Self {
            schema,
            any: false,
            sink,
        }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let first = !std::mem::replace(&mut self.any, true);
        match &mut self.sink {
            Sink::Table { batches, .. } => batches.push(batch.clone()),
            Sink::Json(writer) => writer.write(batch)?,
            Sink::Csv(out) => {
                // By way of a buffer, since the CSV writer hides why its own output failed.
                let mut text = Vec::new();
                CsvWriterBuilder::new()
                    .with_header(first)
                    .build(&mut text)
                    .write(batch)?;
                out.write_all(&text)?;
            }
        }
        Ok(())
    }

    /// Ends what was begun. Without rows there is still a header, or an empty list.
    pub(super) fn finish(mut self) -> Result<(), ArrowError> {
        if !self.any {
            self.write(&RecordBatch::new_empty(Arc::clone(&self.schema)))?;
        }
        match self.sink {
            Sink::Table { batches, mut out } => {
                let options = FormatOptions::new().with_null("null");
                writeln!(out, "{}", pretty_format_batches_with_options(&batches, &options)?)?;
            }
            Sink::Json(mut writer) => {
                writer.finish()?;
                writeln!(writer.into_inner())?;
            }
            Sink::Csv(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use rstest::rstest;

    use super::*;

    fn printed(format: Format, rows: usize) -> String {
        let fields = vec![
            Field::new("region", DataType::Utf8, true),
            Field::new("sales", DataType::Int64, false),
        ];
        let schema = Arc::new(Schema::new(fields));
        let regions = StringArray::from(vec![Some("EMEA"), None]);
        let sales = Int64Array::from(vec![1, 2]);
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(regions), Arc::new(sales)]).unwrap();
        let mut out = Vec::new();
        let mut printing = Rows::new(format, schema, &mut out);
        if rows > 0 {
            printing.write(&batch.slice(0, rows)).unwrap();
        }
        printing.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[rstest]
    #[case(2, "[{\"region\":\"EMEA\",\"sales\":1},{\"region\":null,\"sales\":2}]\n")]
    #[case(0, "[]\n")]
    fn json(#[case] rows: usize, #[case] expected: &str) {
        assert_eq!(printed(Format::Json, rows), expected);
    }

    #[rstest]
    #[case(2, "region,sales\nEMEA,1\n,2\n")]
    #[case(0, "region,sales\n")]
    fn csv(#[case] rows: usize, #[case] expected: &str) {
        assert_eq!(printed(Format::Csv, rows), expected);
    }

    /// A pipe that nobody reads.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[rstest]
    fn a_reader_that_is_gone_is_recognised(#[values(Format::Table, Format::Json, Format::Csv)] format: Format) {
        let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, false)]));
        let error = Rows::new(format, schema, Closed).finish().unwrap_err();
        assert!(crate::cli::is_broken_pipe(&error), "{error:?}");
    }

    #[test]
    fn table() {
        let text = printed(Format::Table, 2);
        assert!(
            text.contains("| region | sales |") && text.contains("| null   | 2     |"),
            "{text}"
        );
        assert!(printed(Format::Table, 0).contains("| region | sales |"));
    }
}
