//! Where the tables are, and how they are read.

use std::fs::File;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use flexconnect_server::{FunctionError, LoadContext};

/// The setting that names the folder of the tables.
const FOLDER: &str = "weather.data";

/// Reads a CSV file with a header line into one batch of these columns.
pub(crate) fn read_csv(context: &LoadContext, file: &str, columns: &SchemaRef) -> Result<RecordBatch, FunctionError> {
    let folder = context
        .get::<PathBuf>(FOLDER)?
        .unwrap_or_else(|| PathBuf::from("examples/rust/data"));
    let path = folder.join(file);
    let opened = File::open(&path).map_err(|error| {
        FunctionError::failed(format!(
            "cannot read {}: {error}; get the tables with `tests/setup data`, or name their folder in the setting {FOLDER}",
            path.display()
        ))
    })?;
    let reader = arrow_csv::ReaderBuilder::new(columns.clone())
        .with_header(true)
        .build(opened)?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(columns, &batches)?)
}

/// Settings that name the tables that `tests/setup data` fetched.
#[cfg(test)]
pub(crate) fn settings() -> serde_json::Value {
    serde_json::json!({"weather": {"data": concat!(env!("CARGO_MANIFEST_DIR"), "/data")}})
}
