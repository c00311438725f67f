//! How fast memory is copied.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::source;

/// Bytes a second, from 256 MiB to another 256 MiB whose pages are there.
#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
pub(crate) fn copy(length: Duration) -> f64 {
    let from = source();
    let mut to = vec![1; from.len()];
    let (mut bytes, began) = (0, Instant::now());
    while began.elapsed() < length {
        to.copy_from_slice(black_box(from));
        black_box(&mut to);
        bytes += from.len();
    }
    bytes as f64 / began.elapsed().as_secs_f64()
}
