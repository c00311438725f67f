//! Leaving out the columns that nobody will read.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures::StreamExt as _;
use serde_json::Value;

use super::{Call, FunctionError, Output};

/// Some columns of a schema, in the schema's order. Made by [`Call::projection`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Projection {
    indices: Vec<usize>,
    schema: SchemaRef,
}

impl Call {
    /// The columns of a schema that the caller will read: those of the hint, or all when there is no hint, or when it names
    /// none of them.
    #[must_use]
    pub fn projection(&self, schema: &Schema) -> Projection {
        let hint = self.columns.as_ref().and_then(Value::as_array);
        let wanted = |field: &Field| hint.is_some_and(|names| names.iter().any(|name| name == field.name()));
        let all = 0..schema.fields().len();
        let mut indices: Vec<usize> = all.clone().filter(|&index| wanted(schema.field(index))).collect();
        if indices.is_empty() {
            indices.extend(all);
        }
        let fields: Vec<_> = indices
            .iter()
            .map(|&index| Arc::clone(&schema.fields()[index]))
            .collect();
        Projection {
            indices,
            schema: Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
        }
    }
}

impl Projection {
    /// Where the columns are in the whole schema, in ascending order.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// The columns that are left.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The same rows with these columns only. No value is copied.
    ///
    /// # Errors
    /// When the batch has fewer columns than the schema of the projection.
    pub fn apply(&self, rows: &RecordBatch) -> Result<RecordBatch, FunctionError> {
        Ok(rows.project(&self.indices)?)
    }
}

impl Output {
    /// The same rows with the columns of a projection only.
    ///
    /// # Errors
    /// When a batch of the table has fewer columns than the schema of the projection; a stream fails when it comes to it.
    pub fn project(self, projection: &Projection) -> Result<Self, FunctionError> {
        let schema = self.schema();
        if projection.indices.len() == schema.fields().len() {
            return Ok(self);
        }
        let projected = Arc::new(schema.project(&projection.indices)?);
        match self {
            // Whether it is a table or a stream is not lost on the way: who projects is a function in this process.
            encoded @ Self::Encoded(_) => Self::Stream(encoded.into_batches()).project(projection),
            Self::Table(table) => {
                let batches = table.batches().iter().map(|batch| projection.apply(batch));
                Ok(Self::table(projected, batches.collect::<Result<_, _>>()?))
            }
            Self::Stream(stream) => {
                let projection = projection.clone();
                let batches = stream.map(move |batch| projection.apply(&batch?));
                Ok(Self::stream(projected, batches))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::array::Int64Array;
    use arrow::datatypes::DataType;
    use futures::TryStreamExt as _;
    use rstest::rstest;
    use serde_json::{Map, json};

    use super::*;

    fn rows() -> RecordBatch {
        let field = |name| Field::new(name, DataType::Int64, false);
        let column = || Arc::new(Int64Array::from(vec![1, 2])) as _;
        let schema = Schema::new(vec![field("a"), field("b"), field("c")])
            .with_metadata(HashMap::from([("origin".to_owned(), "test".to_owned())]));
        RecordBatch::try_new(Arc::new(schema), vec![column(), column(), column()]).expect("three columns")
    }

    fn projection(columns: Value) -> Projection {
        let parameters = Map::from_iter([("columns".to_owned(), columns)]);
        Call::new(parameters).projection(&rows().schema())
    }

    #[rstest]
    #[case(json!(["c", "a", "unknown"]), &[0, 2])]
    #[case(json!(["unknown"]), &[0, 1, 2])]
    #[case(json!([]), &[0, 1, 2])]
    #[case(json!(null), &[0, 1, 2])]
    #[case(json!("a"), &[0, 1, 2])]
    #[case(json!([1, {"a": 1}, "b"]), &[1])]
    fn the_hint_chooses_columns(#[case] hint: Value, #[case] indices: &[usize]) {
        assert_eq!(projection(hint).indices(), indices);
    }

    #[tokio::test]
    async fn tables_and_streams_lose_the_other_columns_and_nothing_else() {
        let projection = projection(json!(["b"]));
        let rows = rows();
        let stream = Output::stream(rows.schema(), futures::stream::iter([Ok(rows.clone())]));
        for output in [Output::from(rows.clone()), stream] {
            let projected = output.project(&projection).expect("enough columns");
            assert_eq!(projected.schema(), projection.schema());
            assert_eq!(projected.schema().metadata()["origin"], "test");
            let batches: Vec<RecordBatch> = projected.into_batches().try_collect().await.expect("rows");
            assert_eq!(batches, [rows.project(&[1]).expect("a column")]);
        }
    }
}
