//! The report: figures as a table for people, and as JSON for programs.

mod facts;
mod table;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

pub(crate) use facts::Facts;

use crate::figure::Figure;

/// Prints the table, and writes `NAME.json` and `NAME.md` into this folder.
pub(crate) fn publish(name: &str, folder: &Path, facts: &Facts, figures: &[Figure]) -> anyhow::Result<()> {
    println!("{}\n{facts}", table::terminal(figures));
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let entries: Vec<_> = figures.iter().map(Figure::entry).collect();
    let json = folder.join(format!("{name}.json"));
    fs::write(&json, serde_json::to_string_pretty(&entries)? + "\n")
        .with_context(|| format!("cannot write {}", json.display()))?;
    fs::write(folder.join(format!("{name}.md")), table::markdown(facts, figures))?;
    println!("written to {}", json.display());
    Ok(())
}
