//! Work that takes long: the sums of all numeric columns of a table.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use flexconnect_server::arrow::array::{
    Array as _, ArrayRef, AsArray as _, Float64Array, Int64Array, RecordBatch, StringArray,
};
use flexconnect_server::arrow::compute::{cast, sum};
use flexconnect_server::arrow::datatypes::{DataType, Field, Float64Type, Schema};
use flexconnect_server::{FunctionError, Output, TaskContext, Work, async_trait};

use crate::shelf::Shelved;

/// The sums of a table's columns.
pub(crate) struct Summary {
    /// What is summed up.
    pub(crate) table: Shelved,
    /// A rest after each batch, to show what long-running looks like.
    pub(crate) pause: Duration,
}

#[async_trait]
impl Work for Summary {
    fn kind(&self) -> &'static str {
        "summary"
    }

    /// Summing computes, so it gets a thread of its own.
    fn blocking(&self) -> bool {
        true
    }

    async fn run(&self, context: TaskContext) -> Result<Output, FunctionError> {
        let fields = self.table.schema.fields();
        let mut columns: Vec<_> = fields.iter().map(|field| Column::new(field)).collect();
        for batch in &self.table.batches {
            if context.cancelled.is_cancelled() {
                return Err(FunctionError::cancelled());
            }
            for (column, values) in columns.iter_mut().zip(batch.columns()) {
                column.add(values)?;
            }
            sleep(self.pause);
        }
        Ok(Output::from(report(&columns)?))
    }
}

/// What is known of one column so far.
struct Column {
    name: String,
    values: i64,
    /// `None` for a column that is not numeric.
    sum: Option<f64>,
}

impl Column {
    fn new(field: &Field) -> Self {
        Self {
            name: field.name().clone(),
            values: 0,
            sum: field.data_type().is_numeric().then_some(0.0),
        }
    }

    fn add(&mut self, values: &ArrayRef) -> Result<(), FunctionError> {
        self.values += i64::try_from(values.len() - values.null_count())?;
        if let Some(total) = &mut self.sum {
            let values = cast(values, &DataType::Float64)?;
            *total += sum(values.as_primitive::<Float64Type>()).unwrap_or_default();
        }
        Ok(())
    }
}

fn report(columns: &[Column]) -> Result<RecordBatch, FunctionError> {
    let schema = Schema::new(vec![
        Field::new("column", DataType::Utf8, false),
        Field::new("values", DataType::Int64, false),
        Field::new("sum", DataType::Float64, true),
    ]);
    let names = StringArray::from_iter_values(columns.iter().map(|column| &column.name));
    let values = Int64Array::from_iter_values(columns.iter().map(|column| column.values));
    let sums: Float64Array = columns.iter().map(|column| column.sum).collect();
    let arrays: Vec<ArrayRef> = vec![Arc::new(names), Arc::new(values), Arc::new(sums)];
    Ok(RecordBatch::try_new(Arc::new(schema), arrays)?)
}
