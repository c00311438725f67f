//! Doors for the project's fuzzers to everything that reads bytes from outside. Not a part of the SDK: the feature
//! `fuzzing` opens them, and nothing but `tests/fuzz` turns it on.
//!
//! Whatever comes in, nothing may panic, hang or grow; a door asserts what must hold beside that.

mod client;
mod columns;
mod dice;
mod metrics;
mod requests;
mod server;
mod settings;
mod tables;
mod tokens;
mod workers;

pub use client::client;
pub use metrics::metrics;
pub use requests::{command, context};
pub use server::{call, connection, request};
pub use settings::{document, variables};
pub use tables::{result, table, upload};
pub use tokens::{headers, jwt};
pub use workers::worker;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use tonic::Status;

/// Whether a panic of this thread is one that the server makes an error of, and thus no find.
#[must_use]
pub fn is_refusal() -> bool {
    crate::telemetry::foreign::parsing()
}

/// What the trailers of an answer may take together; clients drop errors whose trailers are much larger.
const TRAILERS: usize = 5 * 1024;

/// What HTTP/2 counts for a header on top of its name and value.
const HEADER_OVERHEAD: usize = 32;

/// An answer to bad input fits into the trailers that clients accept.
fn fits(error: impl Into<Status>) {
    let response = error.into().into_http::<tonic::body::Body>();
    fits_as_trailers(response.headers());
}

/// An answer that is nothing but an error has its trailers among its headers, beside the type of what does not follow.
fn fits_as_trailers(trailers: &HeaderMap) {
    let size: usize = trailers
        .iter()
        .filter(|(name, _)| *name != CONTENT_TYPE)
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD)
        .sum();
    assert!(size <= TRAILERS, "an answer with {size} bytes of trailers");
}
