//! A whole result, decoded: where it matters what the rows are.

use std::future::poll_fn;

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::utils::flight_data_to_batches;
use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message as _;

use super::call::{Method, end, start};
use super::connect::Connection;
use super::failure::CallError;
use super::frames::FrameError;

/// The batches that a ticket stands for.
pub(crate) async fn download(connection: &Connection, ticket: Bytes) -> Result<Vec<RecordBatch>, CallError> {
    let mut body = start(connection, Method::DoGet, ticket).await?;
    let mut bytes = BytesMut::new();
    while let Some(chunk) = poll_fn(|context| body.poll_data(context)).await.transpose()? {
        body.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    end(&mut body).await?;
    let wrong = |error: &dyn std::fmt::Display| CallError::Answer(error.to_string());
    let mut messages = Vec::new();
    let mut bytes = bytes.freeze();
    while !bytes.is_empty() {
        if bytes.len() < 5 {
            return Err(FrameError::Truncated.into());
        }
        let _flag = bytes.get_u8();
        let length = bytes.get_u32() as usize;
        if bytes.len() < length {
            return Err(FrameError::Truncated.into());
        }
        messages.push(FlightData::decode(bytes.split_to(length)).map_err(|error| wrong(&error))?);
    }
    flight_data_to_batches(&messages).map_err(|error| wrong(&error))
}
