//! The rows of a result as a server elsewhere sends them.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use futures::{Stream, TryStreamExt as _, stream};
use tonic::Status;

use super::RemoteError;
use crate::ipc::{Additions, Body, Decoder};

/// Messages of a server, read one by one.
pub(super) struct Rows<S> {
    url: String,
    messages: S,
    decoder: Decoder,
}

impl<S: Stream<Item = Result<FlightData, Status>> + Unpin> Rows<S> {
    pub(super) fn new(url: &str, messages: S) -> Self {
        Self {
            url: url.to_owned(),
            messages,
            decoder: Decoder::new(Additions::Read),
        }
    }

    /// The next rows; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<RecordBatch>, RemoteError> {
        let message = self.messages.try_next().await;
        let mut message = message.map_err(|status| RemoteError::of_status(&self.url, &status))?;
        while let Some(data) = message {
            let rows = self.decoder.decode(&data.data_header, &Body::from(data.data_body));
            if let Some(batch) = rows.map_err(|error| RemoteError::garbled(&self.url, &error))? {
                return Ok(Some(batch));
            }
            let next = self.messages.try_next().await;
            message = next.map_err(|status| RemoteError::of_status(&self.url, &status))?;
        }
        Ok(None)
    }

    /// The columns, which come before the first rows.
    pub(super) fn columns(&self) -> Result<SchemaRef, RemoteError> {
        let columns = self.decoder.schema().cloned();
        columns.ok_or_else(|| RemoteError::garbled(&self.url, &"a stream without a schema"))
    }

    /// The rows to come. Nothing follows an error.
    pub(super) fn into_stream(self) -> impl Stream<Item = Result<RecordBatch, RemoteError>> {
        stream::try_unfold(self, async |mut rows| {
            let batch = rows.next().await?;
            Ok::<_, RemoteError>(batch.map(|batch| (batch, rows)))
        })
    }
}

/// The door of the fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) async fn fuzz_rows(messages: Vec<FlightData>) {
    let rows = Rows::new("grpc://h:1", stream::iter(messages.into_iter().map(Ok)));
    let _ = rows.into_stream().try_for_each(async |_| Ok(())).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray};
    use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema, UnionFields, UnionMode};
    use arrow_flight::SchemaAsIpc;
    use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
    use arrow_ipc::writer::IpcWriteOptions;
    use futures::StreamExt as _;

    use super::*;

    /// What a server sends.
    async fn sent(batches: &[RecordBatch]) -> Vec<FlightData> {
        let batches = batches.to_vec();
        FlightDataEncoderBuilder::new()
            .with_dictionary_handling(DictionaryHandling::Resend)
            .build(stream::iter(batches.into_iter().map(Ok)))
            .try_collect()
            .await
            .expect("messages")
    }

    fn rows(messages: Vec<FlightData>) -> Rows<impl Stream<Item = Result<FlightData, Status>> + Unpin> {
        Rows::new("grpc://h:1", stream::iter(messages.into_iter().map(Ok)))
    }

    fn words(words: &[&str]) -> RecordBatch {
        let words: DictionaryArray<Int32Type> = words.iter().copied().collect();
        RecordBatch::try_from_iter([("word", Arc::new(words) as ArrayRef)]).expect("a column")
    }

    #[tokio::test]
    async fn rows_come_with_their_columns() {
        let batches = [words(&["a", "b"]), words(&["c"])];
        let mut rows = rows(sent(&batches).await);
        let first = rows.next().await.expect("rows").expect("the first");
        assert_eq!(rows.columns().expect("columns"), batches[0].schema());
        let rest: Vec<_> = rows.into_stream().try_collect().await.expect("rows");
        assert_eq!((first, rest), (batches[0].clone(), vec![batches[1].clone()]));
        let mut none = super::tests::rows(Vec::new());
        assert_eq!(none.next().await.expect("nothing"), None);
        let error = none.columns().expect_err("no columns").to_string();
        assert!(error.ends_with("a stream without a schema"), "{error}");
    }

    /// Arrow's reader panics about a union whose types are missing; whoever sends it does not end this process.
    #[tokio::test]
    async fn a_server_that_sends_what_is_untrue_is_told_of() {
        let members = UnionFields::from_fields(
            Fields::from(vec![Field::new("a", DataType::Null, true)])
                .iter()
                .cloned(),
        );
        let union = Field::new("u", DataType::Union(members, UnionMode::Sparse), true);
        let options = IpcWriteOptions::default();
        let columns = FlightData::from(SchemaAsIpc::new(&Schema::new(vec![union]), &options));
        let other = sent(&[words(&["a"])]).await.pop().expect("rows of another table");
        let batches: Vec<_> = rows(vec![columns, other.clone(), other]).into_stream().collect().await;
        let [Err(RemoteError::Garbled { url, reason })] = &batches[..] else {
            panic!("{batches:?}")
        };
        assert_eq!(url, "grpc://h:1");
        assert!(!reason.contains("panicked"), "{reason}");
    }
}
