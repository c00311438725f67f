//! Memory of a tree of processes, and its peak.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::tree::tree;

const SAMPLES: Duration = Duration::from_millis(20);
const DESCENDANTS: Duration = Duration::from_secs(1);

/// Memory in MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Memory {
    /// Everything resident, shared pages counted in each process.
    pub(crate) resident: f64,
    /// Anonymous memory of all, and shared memory once: what is charged to a container.
    pub(crate) charged: f64,
}

/// The memory of these processes now.
pub(crate) fn memory(processes: &[u32]) -> Memory {
    let mut memory = Memory::default();
    let mut shared: f64 = 0.0;
    for status in processes.iter().filter_map(|&pid| status(pid)) {
        memory.resident += mib(&status, "VmRSS:");
        memory.charged += mib(&status, "RssAnon:");
        shared = shared.max(mib(&status, "RssShmem:"));
    }
    memory.charged += shared.max(memory_files(processes));
    memory
}

/// What these processes have mapped of files that are memory, each file once: also what nobody touched yet since it was
/// written by another process.
fn memory_files(processes: &[u32]) -> f64 {
    let mut files = HashMap::new();
    for &pid in processes {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        files.extend(maps.lines().filter_map(memory_file));
    }
    files.values().sum()
}

/// Inode and MiB of a line of `/proc/PID/maps`: `7f00-7f10 r--s 00000000 00:01 4711  /memfd:name (deleted)`.
fn memory_file(line: &str) -> Option<(u64, f64)> {
    let mut fields = line.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let inode = fields.nth(3)?.parse().ok()?;
    if !fields.next()?.starts_with("/memfd:") {
        return None;
    }
    let address = |text| u64::from_str_radix(text, 16).ok();
    let kibibytes = u32::try_from((address(to)? - address(from)?) >> 10).ok()?;
    Some((inode, f64::from(kibibytes) / 1024.0))
}

/// Threads of these processes now.
pub(crate) fn threads(processes: &[u32]) -> f64 {
    let statuses = processes.iter().filter_map(|&pid| status(pid));
    statuses.map(|status| field(&status, "Threads:")).sum()
}

fn status(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok()
}

fn mib(status: &str, name: &str) -> f64 {
    field(status, name) / 1024.0
}

fn field(status: &str, name: &str) -> f64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0.0)
}

/// Samples the memory of a process and its descendants every 20 ms until it is asked for the peak.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    peak: JoinHandle<Memory>,
}

impl Watch {
    pub(crate) fn start(root: u32) -> Self {
        Self::of(move || tree(root))
    }

    /// Without the processes that it started.
    pub(crate) fn alone(process: u32) -> Self {
        Self::of(move || vec![process])
    }

    fn of(processes: impl Fn() -> Vec<u32> + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let peak = thread::spawn(move || {
            let mut peak = Memory::default();
            let (mut found, mut looked) = (processes(), Instant::now());
            while !stopped.load(Ordering::Relaxed) {
                if looked.elapsed() > DESCENDANTS {
                    (found, looked) = (processes(), Instant::now());
                }
                let now = memory(&found);
                peak.resident = peak.resident.max(now.resident);
                peak.charged = peak.charged.max(now.charged);
                thread::sleep(SAMPLES);
            }
            peak
        });
        Self { stop, peak }
    }

    /// The most there was since the start.
    pub(crate) fn peak(self) -> anyhow::Result<Memory> {
        self.stop.store(true, Ordering::Relaxed);
        self.peak.join().map_err(|_| anyhow!("the memory watch panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "Name:\tx\nVmRSS:\t  2048 kB\nRssAnon:\t 1024 kB\nThreads:\t7\n";
        assert_eq!((mib(status, "VmRSS:"), mib(status, "RssAnon:")), (2.0, 1.0));
        assert_eq!((field(status, "Threads:"), field(status, "RssShmem:")), (7.0, 0.0));
    }

    #[test]
    fn files_of_memory_are_told_from_others() {
        let line = |name| format!("7f0000000000-7f0000200000 r--s 00000000 00:01 4711    {name}");
        assert_eq!(memory_file(&line("/memfd:result (deleted)")), Some((4711, 2.0)));
        assert_eq!(memory_file(&line("/usr/lib/libc.so.6")), None);
        assert_eq!(memory_file("7f0000000000-7f0000200000 rw-p 00000000 00:00 0"), None);
    }

    #[test]
    fn the_peak_remembers_what_is_gone() {
        let watch = Watch::start(std::process::id());
        let before = memory(&[std::process::id()]).charged;
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        thread::sleep(SAMPLES * 10);
        drop(block);
        assert!(watch.peak().unwrap().charged > before + 48.0);
    }
}
