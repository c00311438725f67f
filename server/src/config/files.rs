//! Settings files: which formats there are, and the `x.local.toml` that may lie beside an `x.toml`.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::report::{Findings, Mistake};
use super::source::Source;
use super::tree::Table;
use super::{document, overlay};

/// Lays the files over each other, the later over the earlier, each followed by its local neighbour.
pub(super) fn load(files: &[PathBuf], settings: &mut Table, findings: &mut Findings) {
    for file in files {
        match read(file) {
            Ok(table) => overlay::overlay(settings, table, findings),
            Err(problem) => {
                findings.mistakes.push(problem.into_mistake(file));
                continue;
            }
        }
        let Some(local) = local_neighbour(file) else { continue };
        match read(&local) {
            Ok(table) => overlay::overlay(settings, table, findings),
            Err(Problem::Missing) => {}
            Err(problem) => findings.mistakes.push(problem.into_mistake(&local)),
        }
    }
}

/// `x.local.toml` for `x.toml`.
fn local_neighbour(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let extension = path.extension()?.to_str()?;
    (!stem.to_ascii_lowercase().ends_with(".local")).then(|| path.with_file_name(format!("{stem}.local.{extension}")))
}

/// Why a file gives no settings.
enum Problem {
    Missing,
    Directory,
    Unreadable(io::Error),
    Python,
    Ini,
    UnknownFormat,
    Malformed(String),
}

fn read(path: &Path) -> Result<Table, Problem> {
    let parse = match path
        .extension()
        .and_then(OsStr::to_str)
        .map(str::to_ascii_lowercase)
        .as_deref()
    {
        _ if path.is_dir() => return Err(Problem::Directory),
        Some("toml") => document::toml,
        Some("yaml" | "yml") => document::yaml,
        Some("json") => document::json,
        Some("py") => return Err(Problem::Python),
        Some("ini") => return Err(Problem::Ini),
        _ => return Err(Problem::UnknownFormat),
    };
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::Missing,
        _ => Problem::Unreadable(error),
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    parse(text, &Source::file(path)).map_err(Problem::Malformed)
}

impl Problem {
    fn into_mistake(self, path: &Path) -> Mistake {
        let file = path.display();
        let (problem, fix) = match self {
            Self::Missing => (
                format!("Settings file {file} does not exist"),
                "correct the path after --config",
            ),
            Self::Directory => (
                format!("Path {file} is a directory and not a settings file"),
                "name the files in it, one by one",
            ),
            Self::Unreadable(error) => (
                format!("Settings file {file} cannot be read: {error}"),
                "let the server's user read it, as UTF-8 text",
            ),
            Self::Python => (
                format!("Settings file {file} is Python code, which this server does not run"),
                "write the settings as TOML, YAML or JSON",
            ),
            Self::Ini => (
                format!("Settings file {file} is in a format that is not supported"),
                "write it as TOML, YAML or JSON",
            ),
            Self::UnknownFormat => (
                format!("Settings file {file} has an extension that names no known format"),
                "give it the extension .toml, .yaml or .json",
            ),
            Self::Malformed(reason) => (
                format!("Settings file {file} is malformed: {reason}"),
                "correct the file",
            ),
        };
        Mistake {
            key: String::new(),
            value: None,
            source: Source::file(path),
            problem,
            fix: fix.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn load_all(files: &[PathBuf]) -> (String, Vec<String>) {
        let (mut settings, mut findings) = (Table::default(), Findings::new(|_, _| false));
        load(files, &mut settings, &mut findings);
        let problems = findings.mistakes.into_iter().map(|mistake| mistake.problem).collect();
        (serde_json::to_string(&settings.to_json()).unwrap(), problems)
    }

    #[test]
    fn later_files_and_local_neighbours_win() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a.toml"), "[s]\na = 1\nb = 1\nc = 1").unwrap();
        fs::write(path("a.local.toml"), "[s]\nb = 2").unwrap();
        fs::write(path("b.yaml"), "s:\n  c: 3").unwrap();
        let (settings, problems) = load_all(&[path("a.toml"), path("b.yaml")]);
        assert_eq!(settings, r#"{"s":{"a":1,"b":2,"c":3}}"#);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn every_unusable_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["code.py", "old.ini", "some.conf"] {
            fs::write(path(name), "").unwrap();
        }
        fs::write(path("broken.json"), "{").unwrap();
        let files = ["missing.toml", "", "code.py", "old.ini", "some.conf", "broken.json"].map(path);
        let (_, problems) = load_all(&files);
        assert_eq!(problems.len(), files.len());
        assert_eq!(
            problems[0],
            format!("Settings file {} does not exist", files[0].display())
        );
        assert_eq!(
            problems[1],
            format!("Path {} is a directory and not a settings file", files[1].display())
        );
    }
}
