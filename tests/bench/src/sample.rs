//! One measurement of one server, and the metrics that are read from it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::client::Target;
use crate::figure::Better;
use crate::limits::Rate;
use crate::load::{Load, Tally, Window, drive};
use crate::machine::Busy;

/// What was measured in one window.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    pub(crate) calls: f64,
    pub(crate) bytes: f64,
    pub(crate) messages: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) first_byte_ms: f64,
    /// CPU seconds of the server.
    pub(crate) server_cpu: f64,
    /// Cores that neither servers nor clients used.
    pub(crate) other_cores: f64,
}

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Calls,
    CpuPerCall,
    Median,
    P99,
    Throughput,
    CpuPerByte,
    FirstByte,
    Messages,
}

impl Metric {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::CpuPerCall => "CPU per call",
            Self::Median => "p50",
            Self::P99 => "p99",
            Self::Throughput => "throughput",
            Self::CpuPerByte => "CPU per byte",
            Self::FirstByte => "first byte",
            Self::Messages => "messages",
        }
    }

    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Calls => "calls/s",
            Self::CpuPerCall => "ms CPU/call",
            Self::Median | Self::P99 | Self::FirstByte => "ms",
            Self::Throughput => "MB/s",
            Self::CpuPerByte => "s CPU/GB",
            Self::Messages => "messages/s",
        }
    }

    pub(crate) const fn better(self) -> Better {
        match self {
            Self::Calls | Self::Throughput | Self::Messages => Better::Higher,
            Self::CpuPerCall | Self::Median | Self::P99 | Self::CpuPerByte | Self::FirstByte => Better::Lower,
        }
    }

    pub(crate) fn of(self, sample: &Sample) -> f64 {
        match self {
            Self::Calls => sample.calls / sample.seconds,
            Self::CpuPerCall => sample.server_cpu * 1e3 / sample.calls,
            Self::Median => sample.p50_ms,
            Self::P99 => sample.p99_ms,
            Self::Throughput => sample.bytes / 1e6 / sample.seconds,
            Self::CpuPerByte => sample.server_cpu / (sample.bytes / 1e9),
            Self::FirstByte => sample.first_byte_ms,
            Self::Messages => sample.messages / sample.seconds,
        }
    }
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// Calls a server and measures it; `all` are the processes that belong to the bench, `server` those of this server.
pub(crate) fn measure(
    target: &Target,
    load: &Load,
    timing: Timing,
    server: &[u32],
    all: &[u32],
) -> anyhow::Result<Sample> {
    let window = Window::after(timing.warm_up, timing.window);
    let (tally, [of_server, of_all]) = watched(window, server, all, || drive(target, load, window))?;
    Ok(sample(&tally?, window, of_server, of_all))
}

/// The sample of a limit program, which runs within this process.
pub(crate) fn limit(
    timing: Timing,
    all: &[u32],
    run: impl FnOnce(Window) -> anyhow::Result<Rate> + Send,
) -> anyhow::Result<Sample> {
    let window = Window::after(timing.warm_up, timing.window);
    let (rate, [_, of_all]) = watched(window, &[], all, || run(window))?;
    let rate = rate?;
    Ok(Sample {
        seconds: window.seconds(),
        bytes: count(rate.bytes),
        server_cpu: rate.sender_cpu,
        other_cores: others(of_all, window),
        ..Sample::default()
    })
}

/// Runs something while a window passes; the CPU time that server and bench used in the window.
pub(crate) fn watched<T: Send>(
    window: Window,
    server: &[u32],
    all: &[u32],
    run: impl FnOnce() -> T + Send,
) -> anyhow::Result<(T, [Busy; 2])> {
    thread::scope(|scope| {
        let running = scope.spawn(run);
        sleep_until(window.begin);
        let before = [Busy::now(server), Busy::now(all)];
        sleep_until(window.end);
        let after = [Busy::now(server), Busy::now(all)];
        let result = running.join().ok().context("the load client panicked")?;
        let [server, all] = [0, 1].map(|which| after[which].since(before[which]));
        Ok((result, [server, all]))
    })
}

fn sample(tally: &Tally, window: Window, server: Busy, all: Busy) -> Sample {
    Sample {
        seconds: window.seconds(),
        calls: count(tally.calls),
        bytes: count(tally.bytes),
        messages: count(tally.messages),
        p50_ms: tally.latency_ms(0.5),
        p99_ms: tally.latency_ms(0.99),
        first_byte_ms: tally.first_byte_ms(),
        server_cpu: server.processes,
        other_cores: others(all, window),
    }
}

fn others(all: Busy, window: Window) -> f64 {
    (all.machine - all.processes) / window.seconds()
}

fn sleep_until(time: Instant) {
    thread::sleep(time.saturating_duration_since(Instant::now()));
}

#[expect(clippy::cast_precision_loss, reason = "what is counted in seconds is far below 2⁵²")]
const fn count(number: u64) -> f64 {
    number as f64
}
