//! Writes rows: as a table, CSV, JSON, an Arrow file or a Parquet file; to the terminal, a pipe or a file.
//!
//! All but the table are written as rows come. A table has to see all its rows first, so it shows a bounded number.

mod destination;
mod table;

use std::io::{self, Write as _};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_csv::WriterBuilder as CsvWriterBuilder;
use arrow_ipc::writer::FileWriter;
use arrow_json::writer::{JsonArray, WriterBuilder as JsonWriterBuilder};
use clap::ValueEnum;
use parquet::arrow::ArrowWriter;

pub(super) use destination::{Destination, DestinationError};
pub(super) use table::new_table;

use self::destination::Out;
use self::table::Table;

/// Rows that a table shows unless told otherwise.
const TABLE_ROWS: usize = 1_000;

/// How rows look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A table, for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// A list of objects.
    Json,
    /// An Arrow IPC file.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// Whether a terminal would not bear it.
    pub(super) const fn is_binary(self) -> bool {
        match self {
            Self::Arrow | Self::Parquet => true,
            Self::Table | Self::Csv | Self::Json => false,
        }
    }
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// The format has no form for a value, or the rows are no rows.
    #[error("the rows cannot be written")]
    Arrow(#[from] ArrowError),
    #[error("the rows cannot be written as Parquet")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("the rows cannot be written")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Destination(#[from] DestinationError),
}

/// Where rows go, in their format.
pub(super) struct Sink {
    writer: Writer,
    left: usize,
    /// Rows were left out because of the limit.
    cut: bool,
    limit: Limit,
}

/// Who limited the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    None,
    Asked,
    Table,
}

enum Writer {
    Table(Table, Out),
    Csv(Out),
    Json(Box<arrow_json::Writer<Out, JsonArray>>),
    Arrow(Box<FileWriter<Out>>),
    Parquet(Box<ArrowWriter<Out>>),
}

impl Sink {
    /// Begins rows of these columns, `limit` of them at most.
    pub(super) fn new(destination: Destination, schema: &SchemaRef, limit: Option<usize>) -> Result<Self, WriteError> {
        let (format, width) = (destination.format(), destination.width());
        let mut out = destination.into_out();
        let writer = match format {
            Format::Table => Writer::Table(Table::new(SchemaRef::clone(schema), width), out),
            Format::Csv => {
                write_csv(&mut out, &RecordBatch::new_empty(SchemaRef::clone(schema)), true)?;
                Writer::Csv(out)
            }
            Format::Json => Writer::Json(Box::new(JsonWriterBuilder::new().with_explicit_nulls(true).build(out))),
            Format::Arrow => Writer::Arrow(Box::new(FileWriter::try_new(out, schema)?)),
            Format::Parquet => Writer::Parquet(Box::new(ArrowWriter::try_new(out, SchemaRef::clone(schema), None)?)),
        };
        let (left, limit) = match (limit, format) {
            (Some(limit), _) => (limit, Limit::Asked),
            (None, Format::Table) => (TABLE_ROWS, Limit::Table),
            (None, Format::Csv | Format::Json | Format::Arrow | Format::Parquet) => (usize::MAX, Limit::None),
        };
        Ok(Self {
            writer,
            left,
            cut: false,
            limit,
        })
    }

    /// Whether further rows would be left out.
    pub(super) const fn is_full(&self) -> bool {
        match self.limit {
            // One row more tells whether there is more than is shown.
            Limit::Table => self.cut,
            Limit::Asked => self.left == 0,
            Limit::None => false,
        }
    }

    /// Writes the rows that the limit allows; tells how many.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<usize, WriteError> {
        let rows = batch.num_rows().min(self.left);
        self.cut |= rows < batch.num_rows();
        self.left -= rows;
        let batch = batch.slice(0, rows);
        match &mut self.writer {
            Writer::Table(table, _) => table.push(batch),
            Writer::Csv(out) => write_csv(out, &batch, false)?,
            Writer::Json(writer) => writer.write(&batch)?,
            Writer::Arrow(writer) => writer.write(&batch)?,
            Writer::Parquet(writer) => writer.write(&batch)?,
        }
        Ok(rows)
    }

    /// Ends what was begun; tells what the reader should know about it.
    pub(super) fn finish(self) -> Result<Option<String>, WriteError> {
        let mut notes = Vec::new();
        let out = match self.writer {
            Writer::Table(table, mut out) => {
                let (text, hidden) = table.render()?;
                writeln!(out, "{text}")?;
                if !hidden.is_empty() {
                    notes.push(format!(
                        "{} more columns do not fit ({}): choose with --columns, or print with --format csv",
                        hidden.len(),
                        hidden.join(", ")
                    ));
                }
                if self.cut && self.limit == Limit::Table {
                    notes.push(format!(
                        "there are more than these {TABLE_ROWS} rows: --limit shows more, --format csv prints all"
                    ));
                }
                out
            }
            Writer::Csv(out) => out,
            Writer::Json(mut writer) => {
                writer.finish()?;
                let mut out = writer.into_inner();
                writeln!(out)?;
                out
            }
            Writer::Arrow(writer) => writer.into_inner()?,
            Writer::Parquet(writer) => writer.into_inner()?,
        };
        out.complete()?;
        Ok((!notes.is_empty()).then(|| notes.join("; ")))
    }
}

/// By way of a buffer, since the CSV writer hides why its own output failed.
fn write_csv(out: &mut Out, batch: &RecordBatch, header: bool) -> Result<(), WriteError> {
    let mut text = Vec::new();
    CsvWriterBuilder::new()
        .with_header(header)
        .build(&mut text)
        .write(batch)?;
    out.write_all(&text)?;
    Ok(())
}

#[cfg(test)]
mod tests;
