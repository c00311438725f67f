//! The `process_*` metrics that every Prometheus client has, read from `/proc` when somebody asks.

use std::fs;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge};

/// What the system knows of this process. On a system without `/proc` all of it is zero.
#[derive(Clone, Debug)]
pub(super) struct Process {
    resident: IntGauge,
    descriptors: IntGauge,
    threads: IntGauge,
    cpu: Counter,
}

impl Process {
    pub(super) fn new() -> Self {
        let gauge = |name, help| IntGauge::new(name, help);
        match (
            gauge("process_resident_memory_bytes", "Resident memory size in bytes."),
            gauge("process_open_fds", "Number of open file descriptors."),
            gauge("process_threads", "Number of threads."),
            Counter::new(
                "process_cpu_seconds_total",
                "Total user and system CPU time spent in seconds.",
            ),
        ) {
            (Ok(resident), Ok(descriptors), Ok(threads), Ok(cpu)) => Self {
                resident,
                descriptors,
                threads,
                cpu,
            },
            _ => unreachable!("these names are constants"),
        }
    }

    fn read(&self) -> Option<()> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        self.resident.set(field(&status, "VmRSS:")? * 1024);
        self.threads.set(field(&status, "Threads:")?);
        let descriptors = fs::read_dir("/proc/self/fd").ok()?.count();
        self.descriptors.set(i64::try_from(descriptors).ok()?);
        let seconds = cpu_seconds(&fs::read_to_string("/proc/self/stat").ok()?)?;
        self.cpu.inc_by((seconds - self.cpu.get()).max(0.0));
        Some(())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.resident, &self.descriptors, &self.threads];
        gauges
            .into_iter()
            .flat_map(Collector::desc)
            .chain(self.cpu.desc())
            .collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // What could not be read stays as it was.
        let _ = self.read();
        let gauges = [&self.resident, &self.descriptors, &self.threads];
        gauges
            .into_iter()
            .flat_map(Collector::collect)
            .chain(self.cpu.collect())
            .collect()
    }
}

fn field(status: &str, key: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// In hundredths of a second, whatever the clock of the kernel; the name of the program may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_understood() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 2048 12 1844";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(field("Name:\ta\nVmRSS:\t   512 kB\n", "VmRSS:"), Some(512));
        assert_eq!(field("Name:\ta\n", "VmRSS:"), None);
    }
}
