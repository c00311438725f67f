//! What a table of figures is worth nothing without: when, on what, and with what it was measured.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Zoned;

use crate::machine::cores;

/// Circumstances of a run.
pub(crate) struct Facts {
    repetitions: usize,
    date: String,
    processor: String,
    kernel: String,
    load: String,
    vendor: String,
}

const VERSIONS: &str = "\
import platform, pyarrow
from importlib.metadata import version
print(f\"gooddata-flight-server {version('gooddata-flight-server')}, CPython {platform.python_version()}, \"
      f\"pyarrow {pyarrow.__version__}\")";

impl Facts {
    /// As of now; `python` is the folder of the Python environment's programs.
    pub(crate) fn gather(python: &Path, repetitions: usize) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| {
                line.strip_prefix("model name")?
                    .split_once(':')
                    .map(|(_, name)| name.trim().to_owned())
            })
            .unwrap_or_else(|| "processor of unknown kind".to_owned());
        let versions = Command::new(python.join("python")).args(["-c", VERSIONS]).output();
        let vendor = versions.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        Self {
            repetitions,
            date: Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string(),
            processor,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: read("/proc/loadavg")
                .split_whitespace()
                .next()
                .unwrap_or("?")
                .to_owned(),
            vendor: vendor.unwrap_or_default(),
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = cores();
        writeln!(
            f,
            "Measured on {}, {cores} cores ({}), Linux {}, load average {} at the start.",
            self.date, self.processor, self.kernel, self.load
        )?;
        let (ours, arrow) = (env!("CARGO_PKG_VERSION"), arrow::ARROW_VERSION);
        writeln!(
            f,
            "Ours: flexconnect-server {ours}, arrow {arrow}. Vendor: {}.",
            self.vendor
        )?;
        writeln!(
            f,
            "Medians of {} repetitions; in parentheses the least and the most.",
            self.repetitions
        )
    }
}
