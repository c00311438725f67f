//! CPU time.

use std::fs;

use super::tree::stat;

/// Positions of utime and stime after the name in `/proc/PID/stat`.
const TIMES: [usize; 2] = [11, 12];
/// user, nice, system, irq and softirq in the first line of `/proc/stat`, and what the host of a virtual machine took for
/// others meanwhile (steal); idle and waiting time are not work.
const WORK: [usize; 6] = [1, 2, 3, 6, 7, 8];

/// CPU seconds at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Busy {
    /// Of the processes asked for.
    pub(crate) processes: f64,
    /// Of everything, also of what runs beside this machine on the same host.
    pub(crate) machine: f64,
}

/// CPU seconds of these processes so far.
pub(crate) fn cpu_of(processes: &[u32]) -> f64 {
    let ticks = processes
        .iter()
        .filter_map(|&pid| stat(pid))
        .flat_map(|fields| TIMES.map(|at| number(fields.get(at).map(String::as_str))))
        .sum::<f64>();
    ticks / per_second()
}

/// CPU seconds of the machine so far.
pub(crate) fn of_machine() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<_> = text.lines().next().unwrap_or_default().split_whitespace().collect();
    WORK.iter().map(|&at| number(fields.get(at).copied())).sum::<f64>() / per_second()
}

impl Busy {
    pub(crate) fn now(processes: &[u32]) -> Self {
        Self {
            processes: cpu_of(processes),
            machine: of_machine(),
        }
    }

    /// CPU seconds since then.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            processes: self.processes - before.processes,
            machine: self.machine - before.machine,
        }
    }
}

fn number(text: Option<&str>) -> f64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a hundred, on every Linux that runs this")]
fn per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn work_of_this_process_is_seen_in_both() {
        let me = [std::process::id()];
        let before = Busy::now(&me);
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(300) {
            black_box(start);
        }
        let used = Busy::now(&me).since(before);
        assert!(used.processes > 0.05, "{used:?}");
        assert!(used.machine >= used.processes - 0.05, "{used:?}");
    }
}
