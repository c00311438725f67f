//! How a worker process ended, in words for those whose calls it took along.

use super::wire::Ended;

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself, with a code.
    Exited(i32),
    /// By a signal; whether the control group counted an out-of-memory kill meanwhile.
    Signalled { signal: i32, oom: bool },
    /// The server ended it, since a call in it did not come back.
    Hung,
    /// The server ended it, since it said something that no worker says.
    Broken(String),
    /// The process that keeps all workers ended.
    HostLost,
    /// Nobody knows.
    Unknown,
}

impl Ending {
    pub(super) fn of(ended: &Ended) -> Self {
        match (ended.code, ended.signal) {
            (_, Some(signal)) => Self::Signalled { signal, oom: ended.oom },
            (Some(code), None) => Self::Exited(code),
            (None, None) => Self::Unknown,
        }
    }

    /// A sentence that ends without a stop.
    pub(super) fn text(&self) -> String {
        const PROCESS: &str = "the worker process that ran it";
        match self {
            Self::Exited(code) => format!("{PROCESS} ended by itself, with exit code {code}"),
            Self::Signalled { oom: true, .. } => format!("{PROCESS} was killed: it was out of memory"),
            Self::Signalled { signal: 9, .. } => format!("{PROCESS} was killed: perhaps out of memory"),
            Self::Signalled { signal, .. } => format!("{PROCESS} crashed: {}", signal_name(*signal)),
            Self::Hung => format!("{PROCESS} was ended, since another call in it did not come back"),
            Self::Broken(why) => format!("{PROCESS} was ended: {why}"),
            Self::HostLost => format!("{PROCESS} ended together with all others: perhaps out of memory"),
            Self::Unknown => format!("{PROCESS} ended"),
        }
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "an illegal instruction (SIGILL)",
        6 => "it aborted (SIGABRT)",
        7 => "a bus error (SIGBUS)",
        8 => "an arithmetic error (SIGFPE)",
        11 => "a segmentation fault (SIGSEGV)",
        15 => "it was told to end (SIGTERM)",
        _ => return format!("signal {signal}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Some(3), None, false, "ended by itself, with exit code 3")]
    #[case(None, Some(9), false, "was killed: perhaps out of memory")]
    #[case(None, Some(9), true, "was killed: it was out of memory")]
    #[case(None, Some(11), false, "crashed: a segmentation fault (SIGSEGV)")]
    #[case(None, Some(40), false, "crashed: signal 40")]
    #[case(None, None, false, "ended")]
    fn an_ending_is_told(
        #[case] code: Option<i32>,
        #[case] signal: Option<i32>,
        #[case] oom: bool,
        #[case] says: &str,
    ) {
        let worker = 1;
        let ended = Ended {
            worker,
            code,
            signal,
            oom,
        };
        let text = Ending::of(&ended).text();
        assert_eq!(text, format!("the worker process that ran it {says}"));
    }
}
