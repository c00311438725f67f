//! How many files and connections this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections: listeners, results on disk, certificates being read, the log.
const SPARE: u64 = 256;

/// Raises the soft limit of open files to the hard one, as a server may: the low default is for programs that cannot deal
/// with many. Returns what holds now; `None` is no limit.
pub(crate) fn raise() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, limit = current, "open_files_not_raised");
            current
        }
    }
}

/// Whether so many connections fit below a limit of open files.
pub(crate) fn suffice(limit: Option<u64>, connections: usize) -> bool {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(SPARE);
    limit.is_none_or(|limit| limit >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = raise();
        assert_eq!(getrlimit(Resource::Nofile).current, limit);
        assert_eq!(getrlimit(Resource::Nofile).maximum, limit);
    }

    #[test]
    fn connections_need_a_file_each() {
        assert!(suffice(None, usize::MAX));
        assert!(suffice(Some(10_256), 10_000));
        assert!(!suffice(Some(10_255), 10_000));
    }
}
