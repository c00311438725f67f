//! The report: figures as a table for people, and as JSON for programs.

mod facts;
mod table;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

pub(crate) use facts::Facts;

use crate::figure::Figure;

/// Which report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Bench,
    Soak,
}

impl Report {
    const fn name(self) -> &'static str {
        match self {
            Self::Bench => "bench",
            Self::Soak => "soak",
        }
    }

    /// What its page in the documentation begins with.
    const fn opening(self) -> &'static str {
        match self {
            Self::Bench => {
                "# Performance\n\n\
                 Written by `make bench`; [tests/bench](../tests/bench/README.md) tells how it measures and what the columns mean.\n"
            }
            Self::Soak => "# Soak\n\nWritten by `make soak`.\n",
        }
    }
}

/// Prints the table, and writes it into this folder: `.json` for programs, `.md` as a page for the documentation.
pub(crate) fn publish(report: Report, folder: &Path, facts: &Facts, figures: &[Figure]) -> anyhow::Result<()> {
    println!("{}\n{facts}", table::terminal(figures));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let entries: Vec<_> = figures.iter().map(Figure::entry).collect();
    let json = folder.join(report.name()).with_extension("json");
    fs::write(&json, serde_json::to_string_pretty(&entries)? + "\n")
        .with_context(|| format!("cannot write {}", json.display()))?;
    let page = format!("{}\n{facts}\n{}", report.opening(), table::markdown(figures));
    fs::write(json.with_extension("md"), page)?;
    println!("written to {}", json.display());
    Ok(())
}
