//! What a client asks for, as a function sees it.

use std::sync::{Arc, LazyLock};

use arrow::array::{Date32Array, RecordBatch, StringArray, TimestampMillisecondArray};
use serde_json::Map;

use super::fits;
use crate::flight::Invocation;
use crate::function::context::last_part;
use crate::function::{Call, FunctionError};
use crate::task::Output;

/// Rows with columns for every kind of filter.
static SALES: LazyLock<RecordBatch> = LazyLock::new(|| {
    let regions = StringArray::from(vec![Some("East"), Some(""), None]);
    let days = Date32Array::from(vec![Some(20_000), Some(i32::MIN), None]);
    let moments = TimestampMillisecondArray::from(vec![Some(1_770_000_000_000), Some(i64::MAX), None]);
    RecordBatch::try_from_iter_with_nullable([
        ("region", Arc::new(regions) as _, true),
        ("date", Arc::new(days) as _, true),
        ("at", Arc::new(moments.with_timezone("Europe/Prague")) as _, true),
    ])
    .expect("columns of one length")
});

/// The command of a call, and what is in its parameters.
pub fn command(bytes: &[u8]) {
    match Invocation::parse(bytes) {
        Ok(invocation) => {
            assert!(!invocation.function.is_empty(), "a call of no function");
            let call = Call::new(invocation.parameters);
            assert_eq!(call.columns, invocation.columns.filter(|columns| !columns.is_null()));
            let _ = call.parameter::<String>("region");
            if let Err(error) = sales(&call) {
                fits(crate::FlightError::from(error));
            }
        }
        Err(error) => fits(crate::FlightError::from(error)),
    }
}

/// The execution context of a call.
pub fn context(bytes: &[u8]) {
    if let Ok(context) = serde_json::from_slice(bytes) {
        let parameters = Map::from_iter([("executionContext".to_owned(), context)]);
        if let Err(error) = sales(&Call::new(parameters)) {
            fits(crate::FlightError::from(error));
        }
    }
}

/// What a function does with a call: everything that a context offers.
pub(super) fn sales(call: &Call) -> Result<Output, FunctionError> {
    let mut rows = SALES.clone();
    if let Some(context) = call.execution_context()? {
        let report = context.report().map(drop);
        let labels = context.label_elements().map(drop);
        let calendar = context.calendar().map(drop);
        if let Some(range) = context.date_range("date")? {
            assert!(range.start <= range.end, "a range that ends before it begins");
        }
        rows = context.filter_rows(&rows, last_part)?;
        assert!(rows.num_rows() <= SALES.num_rows(), "a filter made rows");
        report.and(labels).and(calendar)?;
    }
    Output::from(rows).project(&call.projection(SALES.schema_ref()))
}

/// The columns that [`sales`] has.
pub(super) fn columns() -> arrow::datatypes::SchemaRef {
    SALES.schema()
}
