//! A function that returns what a file on the stage holds, so that tests alone decide about the data.

use std::fs::File;
use std::io::BufReader;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use async_trait::async_trait;
use flexconnect_server::function::{Call, FlexConnectFunction, FunctionError, LoadContext, Output};
use futures::stream;
use serde_json::Value;

use crate::{stage, tables};

/// The rows of an Arrow IPC stream in the file `file`, as a table or (`stream`) batch by batch; of each batch only the
/// `window`, which is an offset and a length, as far as it has so many rows. Batches behind the first wait for the file
/// `release-KEY`, if a `key` says so.
pub(crate) struct Stored;

#[async_trait]
impl FlexConnectFunction for Stored {
    fn name(&self) -> &'static str {
        "Stored"
    }

    fn schema(&self) -> SchemaRef {
        tables::id()
    }

    fn blocking(&self) -> bool {
        true
    }

    async fn on_load(&self, context: &LoadContext) -> Result<(), FunctionError> {
        stage::load(context)
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let name = call.parameters.get("file").and_then(Value::as_str);
        let name = name.ok_or_else(|| FunctionError::bad_argument("parameter 'file' is missing"))?;
        let file = stage::path(name).ok_or_else(|| FunctionError::failed("there is no stage"))?;
        let reader = StreamReader::try_new(BufReader::new(File::open(file)?), None)?;
        let schema = reader.schema();
        let window = window(call.parameters.get("window"));
        let batches = reader.map(|batch| Ok(cut(&batch?, window)));
        let batches = batches.collect::<Result<Vec<_>, ArrowError>>()?;
        Ok(match call.parameters.get("stream").and_then(Value::as_bool) {
            Some(true) => {
                let key = call.parameters.get("key").and_then(Value::as_str);
                let released = key.map(|key| format!("release-{key}"));
                let batches = batches.into_iter().enumerate();
                let batches = batches.map(move |(number, batch)| {
                    if let Some(released) = released.as_deref().filter(|_| number > 0) {
                        stage::wait_for(released);
                    }
                    Ok(batch)
                });
                Output::stream(schema, stream::iter(batches))
            }
            Some(false) | None => Output::table(schema, batches),
        })
    }
}

fn window(parameter: Option<&Value>) -> Option<(usize, usize)> {
    let at = |index: usize| usize::try_from(parameter?.get(index)?.as_u64()?).ok();
    Some((at(0)?, at(1)?))
}

fn cut(batch: &RecordBatch, window: Option<(usize, usize)>) -> RecordBatch {
    let rows = batch.num_rows();
    let (offset, length) = window.map_or((0, rows), |(offset, length)| (offset.min(rows), length));
    batch.slice(offset, length.min(rows - offset))
}
