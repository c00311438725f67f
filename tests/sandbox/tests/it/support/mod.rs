//! What the tests share.

pub(crate) mod flight;
pub(crate) mod refusing;
pub(crate) mod rest;
pub(crate) mod setup;

use std::error::Error;

/// The texts of an error and all its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
