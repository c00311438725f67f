//! Tells somebody at a terminal how far a call is.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// A line on the terminal that says what is waited for, or how much has come.
pub(super) struct Progress {
    line: ProgressBar,
    started: Instant,
    rows: u64,
    bytes: u64,
}

impl Progress {
    /// A line on stderr; none unless that is a terminal.
    pub(super) fn on_stderr() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    fn on(target: ProgressDrawTarget) -> Self {
        let line = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} · {elapsed}") {
            line.set_style(style);
        }
        line.enable_steady_tick(TICK);
        Self {
            line,
            started: Instant::now(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Says what goes on.
    pub(super) fn says(&self, text: impl Into<String>) {
        self.line.set_message(text.into());
    }

    /// Rows have come.
    pub(super) fn received(&mut self, rows: usize, bytes: usize) {
        self.rows += rows as u64;
        self.bytes += bytes as u64;
        self.line.set_message(self.amount());
    }

    /// Leaves the terminal to the rows.
    pub(super) fn steps_aside(&self) {
        self.line.finish_and_clear();
    }

    /// What came in the end, such as `3,376 rows · 210.00 KiB · 0.42 s`.
    pub(super) fn summary(&self) -> String {
        format!("{} · {:.2} s", self.amount(), self.started.elapsed().as_secs_f64())
    }

    fn amount(&self) -> String {
        let rows = if self.rows == 1 { "row" } else { "rows" };
        format!("{} {rows} · {}", HumanCount(self.rows), HumanBytes(self.bytes))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_is_counted() {
        let mut progress = Progress::on(ProgressDrawTarget::hidden());
        progress.received(1, 8);
        assert!(
            progress.summary().starts_with("1 row · 8 B · "),
            "{}",
            progress.summary()
        );
        progress.received(3_375, 2_040);
        assert!(
            progress.summary().starts_with("3,376 rows · 2.00 KiB · "),
            "{}",
            progress.summary()
        );
    }
}
