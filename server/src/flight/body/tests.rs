use arrow_flight::FlightData;
use futures::stream;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use prost::Message as _;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

fn message(header: &'static str, segments: &[usize]) -> Message {
    Message {
        header: Bytes::from_static(header.as_bytes()),
        body: segments.iter().map(|&len| Bytes::from(vec![7; len])).collect(),
        ..Message::default()
    }
}

fn body(messages: Vec<Result<Message, FlightError>>) -> DataBody {
    DataBody::new(stream::iter(messages).boxed())
}

/// All data of a body, the lengths of its frames, and the trailers.
async fn read(mut body: DataBody) -> (Vec<u8>, Vec<usize>, HeaderMap) {
    let (mut data, mut frames) = (Vec::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        match frame.expect("infallible").into_data() {
            Ok(bytes) => {
                assert!(!bytes.is_empty(), "an empty frame");
                frames.push(bytes.len());
                data.extend_from_slice(&bytes);
            }
            Err(frame) => {
                assert!(body.is_end_stream());
                return (data, frames, frame.into_trailers().expect("nothing else is left"));
            }
        }
    }
    panic!("no trailers");
}

/// Reads framed messages as any gRPC client does.
fn decode(mut data: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while !data.is_empty() {
        assert_eq!(data[0], 0, "not compressed");
        let len = u32::from_be_bytes(data[1..5].try_into().expect("four bytes")) as usize;
        let (message, rest) = data[5..].split_at(len);
        messages.push(FlightData::decode(message).expect("FlightData").into());
        data = rest;
    }
    messages
}

#[tokio::test]
async fn small_messages_share_a_frame() {
    let messages = vec![message("schema", &[]), message("batch", &[100, 28])];
    let (data, frames, trailers) = read(body(messages.iter().cloned().map(Ok).collect())).await;
    assert_eq!(decode(&data), messages);
    assert_eq!(frames.len(), 1);
    assert_eq!(trailers.len(), 1);
    assert_eq!(trailers["grpc-status"], "0");
}

#[tokio::test]
async fn large_segments_are_sent_as_they_are() {
    let large = message("batch", &[1 << 20, 64, 1 << 19]);
    let places: Vec<_> = large.body.segments().iter().map(|segment| segment.as_ptr()).collect();
    let mut body = body(vec![Ok(large)]);
    let mut frames = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        frames.extend(frame.into_data());
    }
    assert_eq!(frames.len(), 4);
    assert_eq!((frames[1].as_ptr(), frames[3].as_ptr()), (places[0], places[2]));
}

#[tokio::test]
async fn an_error_in_the_middle_is_told_in_full() {
    let error = FlightError::bad_argument("no such month");
    let (data, _, trailers) = read(body(vec![Ok(message("schema", &[])), Err(error)])).await;
    assert_eq!(decode(&data).len(), 1);
    assert_eq!(trailers["grpc-status"], "2");
    assert_eq!(trailers["x-arrow-status"], "5");
    assert!(trailers.contains_key("grpc-status-details-bin"));
}

#[tokio::test]
async fn what_is_there_is_not_held_back_for_what_is_not() {
    let (sender, receiver) = tokio::sync::mpsc::channel(4);
    let mut body = DataBody::new(ReceiverStream::new(receiver).boxed());
    for _ in 0..2 {
        sender.send(Ok(message("batch", &[10]))).await.expect("open");
        let frame = body.frame().await.expect("open").expect("infallible");
        assert_eq!(decode(&frame.into_data().expect("data")).len(), 1);
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_is_received(shapes in prop::collection::vec(prop::collection::vec(0_usize..40_000, 0..5), 0..8)) {
        let messages: Vec<_> = shapes.iter().map(|shape| message("header", shape)).collect();
        let sent = body(messages.iter().cloned().map(Ok).collect());
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let (data, frames, _) = runtime.block_on(read(sent));
        prop_assert_eq!(decode(&data), messages);
        prop_assert!(frames.iter().all(|&len| len <= GATHER + 2 * SMALL_SEGMENT || len <= 40_000));
    }
}
