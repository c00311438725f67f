//! Messages to GoodData that travel with a result.

use arrow::datatypes::{Schema, SchemaRef};
use serde::Serialize;
use serde_json::Value;

use super::{FunctionError, Output};

/// The key of the schema's metadata that holds the messages.
const KEY: &str = "x-gdc-data-source-messages";

/// Something that the caller should know about the data, beside the rows. GoodData limits how much it takes: keep it small.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DataSourceMessage {
    /// Who says it.
    pub source: String,
    /// What it belongs to, such as an id in the logs of the source.
    pub correlation_id: String,
    /// What kind of message it is: free text such as `info` or `warn`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message itself: any JSON, or nothing.
    pub data: Option<Value>,
}

impl Output {
    /// The same rows, and messages beside them. Messages that were there already are replaced; the schema's other
    /// metadata stays.
    ///
    /// # Errors
    /// When a message cannot be written as JSON, which no `Value` is guilty of.
    pub fn with_messages(self, messages: &[DataSourceMessage]) -> Result<Self, FunctionError> {
        let schema = attach(self.schema(), messages)?;
        Ok(match self {
            encoded @ Self::Encoded(_) => Self::stream(schema, encoded.into_batches()),
            Self::Table(table) => Self::table(schema, table.batches().to_vec()),
            Self::Stream(stream) => Self::stream(schema, stream),
        })
    }
}

fn attach(schema: &Schema, messages: &[DataSourceMessage]) -> Result<SchemaRef, FunctionError> {
    let mut metadata = schema.metadata().clone();
    metadata.insert(KEY.to_owned(), serde_json::to_string(messages)?);
    Ok(schema.clone().with_metadata(metadata).into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field};
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_travel_as_compact_json_beside_other_metadata() {
        let fields = vec![Field::new("n", DataType::Int64, false)];
        let schema = Schema::new(fields).with_metadata(HashMap::from([("other".to_owned(), "stays".to_owned())]));
        let message = |data| DataSourceMessage {
            source: "src".to_owned(),
            correlation_id: "cid".to_owned(),
            kind: "info".to_owned(),
            data,
        };
        let output = Output::table(Arc::new(schema), Vec::new())
            .with_messages(&[message(Some(json!({"x": 1}))), message(None)])
            .expect("JSON");
        let metadata = output.schema().metadata();
        assert_eq!(metadata["other"], "stays");
        assert_eq!(
            metadata["x-gdc-data-source-messages"],
            r#"[{"source":"src","correlation_id":"cid","type":"info","data":{"x":1}},{"source":"src","correlation_id":"cid","type":"info","data":null}]"#
        );
    }
}
