use std::convert::Infallible;

use futures::{StreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use proptest::prelude::*;
use tonic::Code;

use super::*;

/// A message of so many bytes, as it travels.
fn message(length: usize) -> Vec<u8> {
    let prefix = u32::try_from(length).expect("short").to_be_bytes();
    [&[0], &prefix[..], &vec![7; length]].concat()
}

fn received(pieces: Vec<Vec<u8>>, budget: &Budget) -> Received<impl Body<Data = Bytes, Error = Infallible> + Unpin> {
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
    Received::new(StreamBody::new(stream::iter(frames).boxed()), budget)
}

#[tokio::test]
async fn a_message_counts_while_it_comes_and_no_longer() {
    let budget = Budget::new(100_000);
    let large = message(60_000);
    let (first, rest) = large.split_at(40_000);
    let pieces = vec![first.to_vec(), rest.to_vec(), message(50_000), message(0)];
    let mut body = received(pieces, &budget);
    for used in [40_000, large.len(), 50_005, 5] {
        body.frame().await.expect("a frame").expect("it fits");
        assert_eq!(budget.used(), used);
    }
    assert!(body.frame().await.is_none());
    assert_eq!(budget.used(), 0, "the last message was taken");
    let mut cut = received(vec![first.to_vec()], &budget);
    cut.frame().await.expect("a frame").expect("it fits");
    drop(cut);
    assert_eq!(budget.used(), 0, "the client went away");
}

#[tokio::test]
async fn a_request_that_does_not_fit_is_to_come_again() {
    let budget = Budget::new(100_000);
    let _results = budget.lease(90_000).expect("fits");
    let large = message(60_000);
    let mut body = received(large.chunks(10_000).map(<[u8]>::to_vec).collect(), &budget);
    body.frame().await.expect("a frame").expect("it fits");
    let error = body.frame().await.expect("an answer").expect_err("it does not fit");
    let status = error.downcast::<Status>().expect("a status");
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("no memory for this request"), "{status}");
}

#[tokio::test]
async fn what_is_small_is_received_when_nothing_fits() {
    let budget = Budget::new(1);
    let _results = budget.lease_anyway(1_000_000);
    let mut body = received(vec![message(10_000), message(10_000), message(ALWAYS)], &budget);
    for _ in 0..2 {
        body.frame().await.expect("a frame").expect("it is small");
    }
    body.frame().await.expect("an answer").expect_err("it is not");
}

proptest! {
    /// However messages are cut into frames, what is unfinished is known.
    #[test]
    fn the_unfinished_message_is_known(
        lengths in prop::collection::vec(0_usize..50, 0..6),
        cut in any::<prop::sample::Index>(),
        piece in 1_usize..20,
    ) {
        let bytes: Vec<u8> = lengths.iter().flat_map(|length| message(*length)).collect();
        let end = cut.index(bytes.len() + 1);
        let mut unfinished = Unfinished::default();
        bytes[..end].chunks(piece).for_each(|piece| unfinished.follow(piece));
        let mut whole = 0;
        for length in lengths {
            if whole + PREFIX + length <= end {
                whole += PREFIX + length;
            } else {
                break;
            }
        }
        prop_assert_eq!(unfinished.bytes, end - whole);
    }
}
