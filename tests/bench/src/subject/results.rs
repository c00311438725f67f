//! Functions that return rows of one shape each.

use std::sync::OnceLock;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use flexconnect_bench as tables;
use flexconnect_server::{Call, FlexConnectFunction, FunctionError, Output, async_trait};
use futures::{StreamExt as _, stream};
use serde_json::Value;

/// Ten rows of four columns, the same ones for every call.
pub(crate) struct Tiny(RecordBatch);

impl Tiny {
    pub(crate) fn new() -> Result<Self, ArrowError> {
        tables::tiny(0, tables::TINY_ROWS).map(Self)
    }
}

#[async_trait]
impl FlexConnectFunction for Tiny {
    fn name(&self) -> &'static str {
        "Tiny"
    }

    fn schema(&self) -> SchemaRef {
        tables::tiny_schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        Ok(self.0.clone().into())
    }
}

/// 258 MiB, made by the first call and kept, or as many batches of them as are asked for, again and again.
pub(crate) struct Wide;

/// The batches of `Wide` one after the other.
pub(crate) struct Stream;

fn wide() -> Result<Vec<RecordBatch>, ArrowError> {
    static KEPT: OnceLock<Vec<RecordBatch>> = OnceLock::new();
    if let Some(batches) = KEPT.get() {
        return Ok(batches.clone());
    }
    let batches = tables::wide()?;
    Ok(KEPT.get_or_init(|| batches).clone())
}

#[async_trait]
impl FlexConnectFunction for Wide {
    fn name(&self) -> &'static str {
        "Wide"
    }

    fn schema(&self) -> SchemaRef {
        tables::wide_schema()
    }

    fn blocking(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let count = usize::try_from(number(&call, "batches", tables::WIDE_BATCHES)).unwrap_or_default();
        let batches = wide()?.into_iter().cycle().take(count).collect();
        Ok(Output::table(tables::wide_schema(), batches))
    }
}

#[async_trait]
impl FlexConnectFunction for Stream {
    fn name(&self) -> &'static str {
        "Stream"
    }

    fn schema(&self) -> SchemaRef {
        tables::wide_schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        let batches = stream::iter(wide()?).map(Ok);
        Ok(Output::stream(tables::wide_schema(), batches))
    }
}

/// A hundred batches of a hundred rows, each made when it is asked for.
pub(crate) struct SmallBatches;

#[async_trait]
impl FlexConnectFunction for SmallBatches {
    fn name(&self) -> &'static str {
        "SmallBatches"
    }

    fn schema(&self) -> SchemaRef {
        tables::tiny_schema()
    }

    async fn call(&self, _call: Call) -> Result<Output, FunctionError> {
        let batch = tables::tiny(0, tables::SMALL_BATCH_ROWS)?;
        let batches = stream::iter(0..tables::SMALL_BATCHES).map(move |_| Ok(batch.clone()));
        Ok(Output::stream(tables::tiny_schema(), batches))
    }
}

/// `mib` MiB of numbers that no other `seed` has.
pub(crate) struct Blob;

#[async_trait]
impl FlexConnectFunction for Blob {
    fn name(&self) -> &'static str {
        "Blob"
    }

    fn schema(&self) -> SchemaRef {
        tables::blob_schema()
    }

    fn blocking(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Output, FunctionError> {
        let (mib, seed) = (number(&call, "mib", 1), number(&call, "seed", 0));
        let batches = (0..mib).map(|index| tables::blob(seed, index));
        Ok(Output::table(tables::blob_schema(), batches.collect::<Result<_, _>>()?))
    }
}

/// A whole number among the parameters.
pub(crate) fn number(call: &Call, name: &str, default: i64) -> i64 {
    call.parameters.get(name).and_then(Value::as_i64).unwrap_or(default)
}
