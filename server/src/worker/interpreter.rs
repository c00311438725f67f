//! Which Python runs the workers.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The names of interpreters, the better first.
const NAMES: [&str; 2] = ["python3", "python"];

/// The versions that functions run on.
const OLDEST: (u32, u32) = (3, 10);
const NEWEST: (u32, u32) = (3, 14);

/// There is no Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Python is found: install one, activate a virtual environment, or set python.interpreter")]
pub(crate) struct NoInterpreter;

/// The interpreter that was configured, or that of the virtual environment, or the first in the path.
pub(super) fn find(
    configured: Option<&Path>,
    virtual_env: Option<&OsStr>,
    path: Option<&OsStr>,
    is_program: impl Fn(&Path) -> bool,
) -> Result<PathBuf, NoInterpreter> {
    if let Some(configured) = configured {
        return Ok(configured.to_owned());
    }
    let of_environment = virtual_env
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join("bin"));
    let folders = of_environment
        .into_iter()
        .chain(path.into_iter().flat_map(std::env::split_paths));
    let mut programs = folders.flat_map(|folder| NAMES.map(|name| folder.join(name)));
    programs.find(|program| is_program(program)).ok_or(NoInterpreter)
}

/// Whether functions run on a version such as `3.12.1`; of newer ones, nobody knows.
pub(super) fn is_supported(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (OLDEST..=NEWEST).contains(&(major, minor)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::configured(Some("/my/python"), Some("/venv"), "/venv/bin/python3", Some("/my/python"))]
    #[case::environment(None, Some("/venv"), "/venv/bin/python3 /usr/bin/python3", Some("/venv/bin/python3"))]
    #[case::environment_with_one_name(None, Some("/venv"), "/venv/bin/python", Some("/venv/bin/python"))]
    #[case::path(None, None, "/usr/bin/python3 /bin/python", Some("/usr/bin/python3"))]
    #[case::empty_environment(None, Some(""), "/bin/python", Some("/bin/python"))]
    #[case::nothing(None, None, "", None)]
    fn the_nearest_python_is_taken(
        #[case] configured: Option<&str>,
        #[case] environment: Option<&str>,
        #[case] there: &str,
        #[case] expected: Option<&str>,
    ) {
        let there: Vec<_> = there.split(' ').map(Path::new).collect();
        let found = find(
            configured.map(Path::new),
            environment.map(OsStr::new),
            Some(OsStr::new("/usr/bin:/bin")),
            |program| there.contains(&program),
        );
        assert_eq!(found.ok().as_deref(), expected.map(Path::new));
    }

    #[rstest]
    #[case("3.10.0", true)]
    #[case("3.14.0rc1", true)]
    #[case("3.9.18", false)]
    #[case("3.15.0", false)]
    #[case("2.7", false)]
    #[case("three", false)]
    fn versions_are_known(#[case] version: &str, #[case] supported: bool) {
        assert_eq!(is_supported(version), supported);
    }
}
