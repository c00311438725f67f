//! What is being measured just now: a line on a terminal, a log elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Told of each step as it begins.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For so many steps.
    pub(crate) fn of(steps: usize) -> anyhow::Result<Self> {
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(steps as u64);
            bar.set_style(ProgressStyle::with_template(
                "{spinner} {elapsed_precise} [{pos}/{len}] {wide_msg}",
            )?);
            bar.enable_steady_tick(Duration::from_millis(200));
            Some(bar)
        } else {
            None
        };
        Ok(Self { bar })
    }

    /// A step begins.
    pub(crate) fn step(&self, name: &str) {
        match &self.bar {
            Some(bar) => {
                bar.inc(1);
                bar.set_message(name.to_owned());
            }
            None => eprintln!("measuring {name}"),
        }
    }

    /// Something went wrong that does not end the run.
    pub(crate) fn warn(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
