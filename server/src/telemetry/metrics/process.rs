//! The `process_*` metrics that every Prometheus client exposes, read from `/proc` when somebody asks.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};

use super::family;

/// The unit of times in `/proc`: a constant of Linux towards programs, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// Reads what the system knows of this process.
#[derive(Debug)]
pub(super) struct Process {
    descs: [Desc; 6],
}

/// What the system knows of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Usage {
    virtual_bytes: f64,
    resident_bytes: f64,
    start_time: f64,
    cpu_seconds: f64,
    open_descriptors: f64,
    max_descriptors: f64,
}

impl Process {
    pub(super) fn new() -> Self {
        let desc = |name, help| family::desc(name, help, &[]);
        Self {
            descs: [
                desc("process_virtual_memory_bytes", "Virtual memory size in bytes."),
                desc("process_resident_memory_bytes", "Resident memory size in bytes."),
                desc(
                    "process_start_time_seconds",
                    "Start time of the process since unix epoch in seconds.",
                ),
                desc(
                    "process_cpu_seconds_total",
                    "Total user and system CPU time spent in seconds.",
                ),
                desc("process_open_fds", "Number of open file descriptors."),
                desc("process_max_fds", "Maximum number of open file descriptors."),
            ],
        }
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let Some(usage) = Usage::read() else {
            return Vec::new();
        };
        let [virtual_memory, resident_memory, start_time, cpu, open, max] = &self.descs;
        vec![
            gauge(virtual_memory, usage.virtual_bytes),
            gauge(resident_memory, usage.resident_bytes),
            gauge(start_time, usage.start_time),
            counter(cpu, usage.cpu_seconds),
            gauge(open, usage.open_descriptors),
            gauge(max, usage.max_descriptors),
        ]
    }
}

fn gauge(desc: &Desc, value: f64) -> MetricFamily {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    family::of(desc, MetricType::GAUGE, vec![Metric::from_gauge(gauge)])
}

fn counter(desc: &Desc, value: f64) -> MetricFamily {
    let mut counter = Counter::default();
    counter.set_value(value);
    let mut metric = Metric::default();
    metric.set_counter(counter);
    family::of(desc, MetricType::COUNTER, vec![metric])
}

impl Usage {
    fn read() -> Option<Self> {
        let read = |path| fs::read_to_string(path).ok();
        let uptime: f64 = read("/proc/uptime")?.split_whitespace().next()?.parse().ok()?;
        let booted = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64() - uptime;
        let descriptors = fs::read_dir("/proc/self/fd").ok()?.count();
        Self::parse(
            &read("/proc/self/stat")?,
            &read("/proc/self/status")?,
            &read("/proc/self/limits")?,
            booted,
            descriptors,
        )
    }

    fn parse(stat: &str, status: &str, limits: &str, booted: f64, descriptors: usize) -> Option<Self> {
        // The name of the program stands in brackets and may hold anything, brackets included.
        let (_, after_name) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let kibibytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        let max_descriptors = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))?
            .split_whitespace()
            .next()?;
        Some(Self {
            virtual_bytes: kibibytes("VmSize:")? * 1024.0,
            resident_bytes: kibibytes("VmRSS:")? * 1024.0,
            start_time: booted + ticks(19)? / TICKS_PER_SECOND,
            cpu_seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
            open_descriptors: f64::from(u32::try_from(descriptors).ok()?),
            max_descriptors: match max_descriptors {
                "unlimited" => f64::INFINITY,
                number => number.parse().ok()?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_is_read_as_the_manual_says() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 1000 2048 12 18446744073709551615";
        let status = "Name:\ta\nVmSize:\t    2048 kB\nVmRSS:\t     512 kB\n";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024     4096     files\n";
        let usage = Usage::parse(stat, status, limits, 5000.0, 9).unwrap();
        let expected = Usage {
            virtual_bytes: 2_097_152.0,
            resident_bytes: 524_288.0,
            start_time: 5010.0,
            cpu_seconds: 3.0,
            open_descriptors: 9.0,
            max_descriptors: 1024.0,
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn this_process_is_known() {
        let usage = Usage::read().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!(usage.resident_bytes > 1e6 && usage.virtual_bytes >= usage.resident_bytes);
        assert!(
            usage.start_time <= now && usage.start_time > now - 86_400.0,
            "{}",
            usage.start_time
        );
        assert!(usage.open_descriptors >= 3.0 && usage.max_descriptors >= usage.open_descriptors);
    }
}
