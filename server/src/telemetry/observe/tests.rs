use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};

use super::*;
use crate::telemetry::metrics::Format;

/// The metrics after a call whose answer has these frames, and was read to its end.
async fn counted(frames: Vec<Result<Frame<Bytes>, Status>>) -> String {
    let metrics = Metrics::new();
    let request = Request::post("/arrow.flight.protocol.FlightService/DoGet").body(());
    let body = Body::new(StreamBody::new(stream::iter(frames).boxed()));
    let answered = observe(&metrics, None, request.expect("a request"), async |_| {
        Ok(Response::new(body))
    });
    let mut answer = answered.await.expect("an answer").into_body();
    while answer.frame().await.is_some_and(|frame| frame.is_ok()) {}
    drop(answer);
    let text = metrics.text(Format::Plain, &[]);
    let ended = text.lines().filter(|line| line.starts_with("flexconnect_rpcs_total"));
    ended.collect()
}

#[tokio::test]
async fn an_answer_counts_as_it_ended() {
    let data = || Ok(Frame::data(Bytes::from_static(b"rows")));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().expect("a value"));
    let line = |code| format!("flexconnect_rpcs_total{{code=\"{code}\",method=\"DoGet\"}} 1.0");
    assert_eq!(counted(vec![data(), Ok(Frame::trailers(trailers))]).await, line("OK"));
    let broken = Err(Status::internal("it cannot be read"));
    assert_eq!(counted(vec![data(), broken]).await, line("INTERNAL"));
    assert_eq!(
        counted(vec![data()]).await,
        line("CANCELLED"),
        "nobody waited for the trailers"
    );
}
