//! `/status`: what an operator, or a person, asks before the next step.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Health;
use crate::task::{Load, Tasks};
use crate::telemetry::{self, Metrics};

/// Where the answer comes from.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    health: Health,
    metrics: Metrics,
    tasks: Tasks,
    started: Instant,
    started_at: SystemTime,
}

impl Status {
    /// The status of a server that starts now.
    pub(crate) fn new(health: Health, metrics: Metrics, tasks: Tasks) -> Self {
        Self {
            health,
            metrics,
            tasks,
            started: Instant::now(),
            started_at: SystemTime::now(),
        }
    }

    pub(super) const fn health(&self) -> &Health {
        &self.health
    }

    pub(super) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The status as JSON. Times are RFC 3339 in UTC, durations seconds.
    pub(super) fn json(&self) -> Value {
        let Load {
            queued,
            running,
            unread_results,
            streams,
            last_call,
        } = self.tasks.load();
        let since_last_call = last_call.map(|call| call.elapsed());
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "phase": self.health.phase().to_string(),
            "live": self.health.is_live(),
            "ready": self.health.is_ready(),
            "ailing": self.health.ailing(),
            "modules": self.health.modules(),
            "workers": self.health.workers(),
            "started_at": timestamp(self.started_at),
            "uptime_sec": rounded(self.started.elapsed()),
            "last_call_at": since_last_call.and_then(|since| timestamp(SystemTime::now() - since)),
            "since_last_call_sec": since_last_call.map(rounded),
            "tasks": {"queued": queued, "running": running, "unread_results": unread_results, "streams": streams},
            "connections": self.metrics.open_connections(),
            "log_level": telemetry::level(),
        })
    }
}

fn timestamp(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| format!("{time:.3}"))
}

/// Seconds to the millisecond.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
