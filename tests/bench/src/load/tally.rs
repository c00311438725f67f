//! What is counted while a window of time is open.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use hdrhistogram::Histogram;

use crate::client::Chunk;

const LONGEST: Duration = Duration::from_mins(10);

/// The time that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) begin: Instant,
    pub(crate) end: Instant,
}

impl Window {
    /// Opens after a warm-up.
    pub(crate) fn after(warm_up: Duration, length: Duration) -> Self {
        let begin = Instant::now() + warm_up;
        Self {
            begin,
            end: begin + length,
        }
    }

    pub(crate) fn holds(&self, time: Instant) -> bool {
        self.begin <= time && time < self.end
    }

    pub(crate) fn seconds(&self) -> f64 {
        (self.end - self.begin).as_secs_f64()
    }
}

/// Calls, bytes and times within a window.
pub(crate) struct Tally {
    /// Calls that ended in the window.
    pub(crate) calls: u64,
    /// Bytes and messages of DoGet that arrived in it, whatever became of their call.
    pub(crate) bytes: u64,
    pub(crate) messages: u64,
    /// Microseconds from beginning to end, of calls that began in the window too.
    latency: Histogram<u64>,
    /// Microseconds from the DoGet to its first byte.
    first_byte: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, micros(LONGEST), 3).context("no memory for a histogram");
        Ok(Self {
            calls: 0,
            bytes: 0,
            messages: 0,
            latency: histogram()?,
            first_byte: histogram()?,
        })
    }

    /// A call that ended well.
    pub(crate) fn call(&mut self, window: &Window, began: Instant, ended: Instant) {
        if window.holds(ended) {
            self.calls += 1;
            if window.holds(began) {
                self.latency.saturating_record(micros(ended - began));
            }
        }
    }

    /// What arrived at this time.
    pub(crate) fn chunk(&mut self, window: &Window, now: Instant, chunk: Chunk) {
        if window.holds(now) {
            self.bytes += chunk.bytes;
            self.messages += chunk.messages;
        }
    }

    /// The first byte of an answer came after this long.
    pub(crate) fn first_byte(&mut self, window: &Window, asked: Instant, came: Instant) {
        if window.holds(came) && window.holds(asked) {
            self.first_byte.saturating_record(micros(came - asked));
        }
    }

    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.calls += other.calls;
        self.bytes += other.bytes;
        self.messages += other.messages;
        self.latency.add(&other.latency).context("histograms differ")?;
        self.first_byte.add(&other.first_byte).context("histograms differ")
    }

    /// Milliseconds that this share of the calls did not exceed.
    pub(crate) fn latency_ms(&self, quantile: f64) -> f64 {
        milliseconds(&self.latency, quantile)
    }

    /// Milliseconds from DoGet to first byte, in the median.
    pub(crate) fn first_byte_ms(&self) -> f64 {
        milliseconds(&self.first_byte, 0.5)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a measurement are few")]
fn milliseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    if histogram.is_empty() {
        return f64::NAN;
    }
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_when_it_ends_in_the_window_and_is_timed_when_it_began_there_too() {
        let before = Instant::now();
        let window = Window::after(Duration::from_secs(1), Duration::from_secs(2));
        let at = |ms| window.begin + Duration::from_millis(ms);
        let mut tally = Tally::new().unwrap();
        tally.call(&window, before, at(1));
        assert_eq!(tally.calls, 1);
        assert!(tally.latency_ms(0.5).is_nan());
        tally.call(&window, at(1), at(6));
        tally.call(&window, at(1_999), at(2_000));
        assert_eq!(tally.calls, 2);
        assert!((tally.latency_ms(0.99) - 5.0).abs() < 0.01);
    }
}
