use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use rstest::rstest;
use tonic::Code;

use super::*;

const LIMIT: usize = 1000;

fn framed(compressed: u8, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("short").to_be_bytes();
    [&[compressed], &len[..], message].concat()
}

fn ticket(text: &str) -> Vec<u8> {
    Ticket::new(text.to_owned()).encode_to_vec()
}

async fn ask(encoding: Option<&str>, body: Vec<u8>) -> Result<String, Status> {
    let mut request = http::Request::post(PATH);
    if let Some(encoding) = encoding {
        request = request.header(ENCODING, encoding);
    }
    let request = request.body(Full::from(body)).expect("a request");
    let answered = answer(request, LIMIT, async |request| {
        Err(FlightError::bad_argument(String::from_utf8_lossy(
            &request.into_inner().ticket,
        )))
    });
    let response = answered.await;
    assert_eq!(response.headers()[CONTENT_TYPE], "application/grpc");
    let status = Status::from_header_map(response.headers()).expect("trailers only");
    match status.message().strip_suffix(". Detail: Failed") {
        Some(ticket) => Ok(ticket.to_owned()),
        None => Err(status),
    }
}

#[rstest]
#[case(None, framed(0, &ticket("t")))]
#[case(Some("identity"), framed(0, &ticket("t")))]
#[case(Some("gzip"), framed(0, &ticket("t")))]
#[case(Some("gzip"), framed(1, &gzip(&ticket("t"))))]
#[tokio::test]
async fn tickets_are_read_as_tonic_reads_them(#[case] encoding: Option<&str>, #[case] body: Vec<u8>) {
    assert_eq!(ask(encoding, body).await.expect("a ticket"), "t");
}

/// As gzip writes bytes that it does not compress.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let len = u16::try_from(bytes.len()).expect("short");
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    out.extend(len.to_le_bytes());
    out.extend((!len).to_le_bytes());
    out.extend(bytes);
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(len).to_le_bytes());
    out
}

#[rstest]
#[case::not_protobuf(None, framed(0, b"\xff"), Code::Internal)]
#[case::nothing(None, vec![], Code::Internal)]
#[case::cut_off(None, vec![0, 0, 0, 0, 9, 1], Code::Internal)]
#[case::compressed_unannounced(None, framed(1, &ticket("t")), Code::Internal)]
#[case::unknown_compression(Some("br"), framed(1, &ticket("t")), Code::Unimplemented)]
#[case::too_long(None, framed(0, &ticket(&"t".repeat(LIMIT))), Code::OutOfRange)]
#[tokio::test]
async fn other_bytes_are_refused(#[case] encoding: Option<&str>, #[case] body: Vec<u8>, #[case] code: Code) {
    let status = ask(encoding, body).await.expect_err("no ticket");
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().len() < 200, "{status}");
}

#[tokio::test]
async fn an_error_before_the_first_message_is_the_whole_answer() {
    let request = http::Request::post(PATH);
    let request = request.body(Full::from(framed(0, &ticket("t")))).expect("a request");
    let response = answer(request, LIMIT, async |_| {
        Ok(stream::iter([Err(FlightError::not_ready())]).boxed())
    });
    let response = response.await;
    assert_eq!(response.headers()["grpc-status"], "14");
    let body = response.into_body().collect().await.expect("nothing");
    assert!(body.to_bytes().is_empty());
}
