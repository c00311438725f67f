//! How much memory there is, and what share of it results may take when nobody says.
//!
//! In a container the number that counts is the one of the control group: a process that believes the machine's is killed.

use std::fmt;
use std::fs;

/// Of the memory there is, so much is for results; the rest is for running functions, connections and the system.
const SHARE: u64 = 2;

/// Where nothing can be found out.
const UNKNOWN: u64 = 1024 * 1024 * 1024;

/// Control groups version 1 say "no limit" by a number close to the largest there is.
const UNLIMITED: u64 = 1 << 60;

/// Bytes for results, and where the number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultBytes {
    /// The bytes.
    pub bytes: u64,
    /// What they were taken from.
    pub source: Source,
}

/// Where a number of bytes comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `task_result_bytes`.
    Configured,
    /// A share of the limit of the container.
    ControlGroup,
    /// A share of the memory of the machine.
    Machine,
    /// A guess.
    Unknown,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "server.task_result_bytes",
            Self::ControlGroup => "half of the container's limit",
            Self::Machine => "half of the machine's memory",
            Self::Unknown => "a guess",
        })
    }
}

/// What the system says about memory, as text; `None` where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct System {
    /// `memory.max` of version 2, of this process' group and of those around it.
    pub control_groups: Vec<String>,
    /// `memory.limit_in_bytes` of version 1.
    pub control_group_v1: Option<String>,
    /// `/proc/meminfo`
    pub machine: Option<String>,
}

impl System {
    /// Asks the system that this process runs on.
    #[must_use]
    pub fn ask() -> Self {
        const ROOT: &str = "/sys/fs/cgroup";
        let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let limits = paths(&group).map(|path| fs::read_to_string(format!("{ROOT}{path}/memory.max")));
        Self {
            control_groups: limits.filter_map(Result::ok).collect(),
            control_group_v1: fs::read_to_string(format!("{ROOT}/memory/memory.limit_in_bytes")).ok(),
            machine: fs::read_to_string("/proc/meminfo").ok(),
        }
    }

    fn control_group_limit(&self) -> Option<u64> {
        let limits = self.control_groups.iter().chain(&self.control_group_v1);
        limits
            .filter_map(|limit| limit.trim().parse().ok())
            .filter(|limit| (1..UNLIMITED).contains(limit))
            .min()
    }

    fn machine_memory(&self) -> Option<u64> {
        let line = self
            .machine
            .as_ref()?
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kibibytes.checked_mul(1024).filter(|&bytes| bytes > 0)
    }
}

/// The folders of a process' group in version 2, from the group itself up to the root: the limit of each holds.
fn paths(proc_self_cgroup: &str) -> impl Iterator<Item = &str> {
    let own = proc_self_cgroup.lines().find_map(|line| line.strip_prefix("0::"));
    let own = own.unwrap_or_default().trim_end_matches('/');
    std::iter::successors(Some(own), |path| path.rfind('/').map(|end| &path[..end]))
}

impl ResultBytes {
    /// What was configured, or half of the smallest memory that limits this process.
    #[must_use]
    pub fn resolve(configured: Option<u64>, system: &System) -> Self {
        let share = |bytes: u64, source| Self {
            bytes: bytes / SHARE,
            source,
        };
        if let Some(bytes) = configured {
            let source = Source::Configured;
            return Self { bytes, source };
        }
        match (system.control_group_limit(), system.machine_memory()) {
            (Some(limit), Some(memory)) if memory <= limit => share(memory, Source::Machine),
            (Some(limit), _) => share(limit, Source::ControlGroup),
            (None, Some(memory)) => share(memory, Source::Machine),
            (None, None) => Self {
                bytes: UNKNOWN,
                source: Source::Unknown,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn system(v2: &[&str], v1: Option<&str>, machine: Option<&str>) -> System {
        System {
            control_groups: v2.iter().map(|&limit| limit.to_owned()).collect(),
            control_group_v1: v1.map(str::to_owned),
            machine: machine.map(str::to_owned),
        }
    }

    const EIGHT: Option<&str> = Some("MemTotal:        8388608 kB\nMemFree:  1 kB\n");

    #[rstest]
    #[case::configured(Some(7), system(&["2147483648\n"], None, EIGHT), 7, Source::Configured)]
    #[case::container(None, system(&["2147483648\n"], None, EIGHT), GIB, Source::ControlGroup)]
    #[case::outer_group_is_smaller(None, system(&["max\n", "2147483648\n", "4294967296\n"], None, EIGHT), GIB, Source::ControlGroup)]
    #[case::first_version(None, system(&[], Some("2147483648\n"), EIGHT), GIB, Source::ControlGroup)]
    #[case::no_limit(None, system(&["max\n"], None, EIGHT), 4 * GIB, Source::Machine)]
    #[case::no_limit_in_the_first_version(None, system(&[], Some("9223372036854771712\n"), EIGHT), 4 * GIB, Source::Machine)]
    #[case::limit_beyond_the_machine(None, system(&["99999999999999\n"], None, EIGHT), 4 * GIB, Source::Machine)]
    #[case::zero_is_no_limit(None, system(&["0\n"], None, EIGHT), 4 * GIB, Source::Machine)]
    #[case::nonsense(None, system(&["much"], Some(""), Some("MemTotal: much")), UNKNOWN, Source::Unknown)]
    #[case::nothing(None, System::default(), UNKNOWN, Source::Unknown)]
    fn the_smallest_memory_counts(
        #[case] configured: Option<u64>,
        #[case] system: System,
        #[case] bytes: u64,
        #[case] source: Source,
    ) {
        assert_eq!(ResultBytes::resolve(configured, &system), ResultBytes { bytes, source });
    }

    #[rstest]
    #[case("0::/kubepods/pod1/c1\n", &["/kubepods/pod1/c1", "/kubepods/pod1", "/kubepods", ""])]
    #[case("0::/\n", &[""])]
    #[case("12:memory:/x\n0::/y\n", &["/y", ""])]
    #[case("", &[""])]
    fn groups_are_looked_at_up_to_the_root(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(paths(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(ResultBytes::resolve(None, &System::ask()).bytes > 1 << 20);
    }
}
