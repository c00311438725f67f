//! Arrow data in both directions: rows out of what a client uploads, and rows as a stream to a client.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::{FlightData, FlightDescriptor};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};

use super::{DataStream, Uploads};
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::ipc::{Additions, BatchEncoder, Body, Decoder};
use crate::task::{CallEnding, FunctionError, Output};

/// What a client uploads with `DoPut`: where it belongs, and its rows as they come.
///
/// Rows take about the memory that their messages do, whatever a client claims. So compressed data and additions to
/// dictionaries are refused, and dictionaries beyond 256 MiB. Bad data are the client's fault: `BAD_ARGUMENT`.
pub struct Upload {
    descriptor: FlightDescriptor,
    /// `None` when nothing follows.
    messages: Option<Uploads<FlightData>>,
    decoder: Decoder,
}

impl Upload {
    /// Reads the first message.
    ///
    /// # Errors
    /// When there is none, or it does not say what is uploaded.
    pub async fn open(mut data: Uploads<FlightData>) -> Result<Self, FlightError> {
        let first = data.next().await.transpose()?;
        let first = first.ok_or_else(|| FlightError::bad_argument("Stream finished before first message sent"))?;
        let descriptor = first.flight_descriptor.clone();
        let descriptor = descriptor.ok_or_else(|| FlightError::bad_argument("Descriptor missing on first message"))?;
        let messages = stream::iter([Ok(first)]).chain(data);
        Ok(Self {
            descriptor,
            messages: Some(messages.boxed()),
            decoder: Decoder::new(Additions::Refused),
        })
    }

    /// What the client calls it.
    #[must_use]
    pub const fn descriptor(&self) -> &FlightDescriptor {
        &self.descriptor
    }

    /// The columns, once the first message with them is read: after the first row at the latest.
    #[must_use]
    pub const fn schema(&self) -> Option<&SchemaRef> {
        self.decoder.schema()
    }
}

/// Rows, until the client has sent all of them. After an error nothing follows.
impl Stream for Upload {
    type Item = Result<RecordBatch, FlightError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { messages, decoder, .. } = &mut *self;
        loop {
            let Some(open) = messages else { return Poll::Ready(None) };
            let message = ready!(open.poll_next_unpin(context));
            let rows = match message.map(|message| read(decoder, message?)) {
                Some(Ok(None)) => continue,
                Some(Ok(Some(batch))) => return Poll::Ready(Some(Ok(batch))),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            };
            *messages = None;
            return Poll::Ready(rows);
        }
    }
}

fn read(decoder: &mut Decoder, message: FlightData) -> Result<Option<RecordBatch>, FlightError> {
    let rows = decoder.decode(&message.data_header, &Body::from(message.data_body));
    rows.map_err(|error| FlightError::bad_argument(format!("The data cannot be read: {error}")))
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("descriptor", &self.descriptor)
            .finish_non_exhaustive()
    }
}

/// Sends rows to a client as they come, without a task: nothing is kept.
///
/// # Errors
/// When Arrow IPC has no form for the columns.
pub fn send(output: Output) -> Result<DataStream, FlightError> {
    let encoder = BatchEncoder::new(output.schema().clone()).map_err(|error| FunctionError::unsendable(&error))?;
    let schema = encoder.schema().message();
    let batches = output.into_batches();
    let messages = stream::try_unfold((batches, encoder), |(mut batches, mut encoder)| async move {
        let Some(batch) = batches.next().await.transpose()? else {
            return Ok::<_, FlightError>(None);
        };
        let messages = encoder
            .encode(&batch)
            .map_err(|error| FunctionError::unsendable(&error))?;
        Ok(Some((stream::iter(messages.map(Ok)), (batches, encoder))))
    });
    Ok(stream::iter([Ok(schema)]).chain(messages.try_flatten()).boxed())
}

/// What the client of a method is told, without a task in between.
impl From<FunctionError> for FlightError {
    fn from(error: FunctionError) -> Self {
        match error.into_ending() {
            CallEnding::Failed(error) => error,
            CallEnding::Cancelled => Self::new(
                FlightKind::Cancelled,
                ErrorInfo::new(ErrorCode::COMMAND_CANCELLED, "The call was cancelled."),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_flight::decode::FlightRecordBatchStream;
    use arrow_flight::encode::FlightDataEncoderBuilder;
    use arrow_flight::error::FlightError as DecodeError;
    use futures::future;

    use super::*;
    use crate::function::fixtures::{numbers, numbers_schema};

    /// What a client sends.
    fn uploads(descriptor: Option<FlightDescriptor>) -> Uploads<FlightData> {
        let batches = stream::iter([Ok(numbers(&[1, 2])), Ok(numbers(&[3]))]);
        FlightDataEncoderBuilder::new()
            .with_flight_descriptor(descriptor)
            .build(batches)
            .map_err(|error| FlightError::bad_argument(error.to_string()))
            .boxed()
    }

    #[tokio::test]
    async fn rows_come_with_their_descriptor() {
        let descriptor = FlightDescriptor::new_path(vec!["a".into()]);
        let mut upload = Upload::open(uploads(Some(descriptor.clone())))
            .await
            .expect("an upload");
        assert_eq!(upload.descriptor(), &descriptor);
        let batches: Vec<_> = upload.by_ref().try_collect().await.expect("rows");
        assert_eq!(batches, [numbers(&[1, 2]), numbers(&[3])]);
        assert_eq!(upload.schema(), Some(&numbers_schema()));
    }

    #[tokio::test]
    async fn what_is_no_upload_is_a_bad_argument() {
        let message = async |data| Upload::open(data).await.expect_err("no upload").message().to_owned();
        assert_eq!(
            message(stream::empty().boxed()).await,
            "Stream finished before first message sent"
        );
        assert_eq!(message(uploads(None)).await, "Descriptor missing on first message");

        let garbage = FlightData {
            flight_descriptor: Some(FlightDescriptor::new_cmd("x")),
            data_header: "no flatbuffer".into(),
            ..FlightData::default()
        };
        let upload = Upload::open(stream::iter([Ok(garbage)]).boxed())
            .await
            .expect("a descriptor");
        let errors: Vec<_> = upload.filter_map(|batch| future::ready(batch.err())).collect().await;
        assert_eq!(errors[0].code(), Some(ErrorCode::BAD_ARGUMENT));
        assert!(
            errors[0].message().starts_with("The data cannot be read: "),
            "{}",
            errors[0]
        );
    }

    #[tokio::test]
    async fn rows_with_other_columns_than_announced_are_the_services_failure() {
        let other = std::sync::Arc::new(arrow::datatypes::Schema::empty());
        let rows = stream::iter([Ok(numbers(&[1]))]);
        let sent: Vec<_> = send(Output::stream(other, rows)).expect("a stream").collect().await;
        let error = sent[1].as_ref().expect_err("it cannot be sent");
        assert_eq!(error.code(), Some(ErrorCode::COMMAND_FAILED), "{error}");
    }

    #[tokio::test]
    async fn rows_are_sent_as_they_come_and_the_error_last() {
        let rows = stream::iter([Ok(numbers(&[1])), Ok(numbers(&[])), Err(FunctionError::failed("gone"))]);
        let sent: Vec<_> = send(Output::stream(numbers_schema(), rows))
            .expect("a stream")
            .collect()
            .await;
        assert_eq!(sent.len(), 4);
        let error = sent[3].as_ref().expect_err("it breaks");
        assert_eq!(error.message(), "There was an error while running task: gone");
        let data = stream::iter(sent).take(3).then(async |message| {
            let data = message.expect("rows").into_flight_data().await;
            data.map_err(|error| DecodeError::ExternalError(Box::new(error)))
        });
        let rows: Vec<_> = FlightRecordBatchStream::new_from_flight_data(data.boxed())
            .try_collect()
            .await
            .expect("rows");
        assert_eq!(rows, [numbers(&[1]), numbers(&[])]);
    }
}
