//! The ordered end of a server: lame duck, closing, stopped.
//!
//! Whoever ends a server asks nobody first, and clients learn of it late. So calls are still served for a while after
//! the signal; then new ones are sent elsewhere while what runs finishes and results wait to be read.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::config::DrainSettings;
use crate::task::{Load, Tasks};

/// How often the drain looks around.
const LOOK: Duration = Duration::from_millis(50);

/// How often it says who is still pending.
const REPORT: Duration = Duration::from_secs(5);

/// Where a server is in its life. Phases only go forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Functions load; calls are answered with `NOT_READY`.
    Starting,
    /// Calls are served.
    Serving,
    /// Calls are served, but `/ready` is red and every connection is asked to go.
    LameDuck,
    /// New calls are answered with `SHUTTING_DOWN`; what runs finishes, results can be read.
    Closing,
    /// Nothing is served any more.
    Stopped,
}

/// What the next phase depends on.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    /// Time since the current phase began.
    pub in_phase: Duration,
    /// Time since the last new call, `None` when there never was one.
    pub since_last_call: Option<Duration>,
    /// Whether nothing runs, waits, streams or can still be read.
    pub idle: bool,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: &[Self] = &[
        Self::Starting,
        Self::Serving,
        Self::LameDuck,
        Self::Closing,
        Self::Stopped,
    ];

    /// The phase that follows from what is seen; the same when it goes on.
    #[must_use]
    pub fn next(self, seen: Observation, settings: DrainSettings) -> Self {
        match self {
            // These end by a decision from outside: functions are loaded, a signal came.
            Self::Starting | Self::Serving | Self::Stopped => self,
            Self::LameDuck => {
                let quiet = seen
                    .since_last_call
                    .is_none_or(|since| since >= settings.propagation_delay);
                let told = seen.in_phase >= settings.propagation_delay && quiet;
                if told || seen.in_phase >= settings.lame_duck {
                    Self::Closing
                } else {
                    self
                }
            }
            Self::Closing => {
                if seen.idle || seen.in_phase >= settings.timeout {
                    Self::Stopped
                } else {
                    self
                }
            }
        }
    }
}

/// As the status and metrics name it.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::LameDuck => "lame_duck",
            Self::Closing => "closing",
            Self::Stopped => "stopped",
        })
    }
}

/// Counts the calls that are being answered, whatever they do. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<AtomicUsize>);

/// A call that is being answered, until it is dropped.
#[derive(Debug)]
pub(crate) struct CallInProgress(Calls);

impl Calls {
    /// Counts a call from now on.
    #[must_use]
    pub(crate) fn begin(&self) -> CallInProgress {
        self.0.fetch_add(1, Ordering::AcqRel);
        CallInProgress(self.clone())
    }

    /// How many there are.
    #[must_use]
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for CallInProgress {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What the end of a server waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What tasks are doing.
    pub tasks: Load,
    /// Calls that are being answered, whatever they do.
    pub calls: usize,
}

impl Pending {
    /// Whether there is nothing to wait for.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.tasks.is_idle() && self.calls == 0
    }
}

/// Leads a server from serving to its end. Returns what was still pending when the time was up: idle, normally.
pub(crate) async fn drain(
    phase: &watch::Sender<Phase>,
    tasks: &Tasks,
    calls: &Calls,
    settings: DrainSettings,
) -> Pending {
    let mut since = enter(phase, Phase::LameDuck);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut reported = Instant::now();
    loop {
        look.tick().await;
        let pending = Pending {
            tasks: tasks.load(),
            calls: calls.count(),
        };
        let seen = Observation {
            in_phase: since.elapsed(),
            since_last_call: pending.tasks.last_call.map(|call| call.elapsed()),
            idle: pending.is_idle(),
        };
        let current = *phase.borrow();
        let next = current.next(seen, settings);
        if next != current {
            if next == Phase::Closing {
                tasks.close();
            }
            since = enter(phase, next);
        }
        if next == Phase::Stopped {
            if !pending.is_idle() {
                report("drain_timed_out", pending);
            }
            return pending;
        }
        if reported.elapsed() >= REPORT {
            reported = Instant::now();
            let lame = next == Phase::LameDuck;
            report(
                if lame {
                    "drain_waiting_for_quiet"
                } else {
                    "drain_pending"
                },
                pending,
            );
        }
    }
}

fn enter(phase: &watch::Sender<Phase>, next: Phase) -> Instant {
    phase.send_replace(next);
    match next {
        Phase::LameDuck => tracing::info!("drain_lame_duck"),
        Phase::Closing => tracing::info!("drain_closing"),
        Phase::Stopped => tracing::info!("drain_finished"),
        Phase::Starting | Phase::Serving => {}
    }
    Instant::now()
}

fn report(event: &str, Pending { tasks, calls }: Pending) {
    let Load {
        queued,
        running,
        unread_results,
        streams,
        last_call: _,
    } = tasks;
    tracing::info!(queued, running, unread_results, streams, calls, "{event}");
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::task::Limits;

    fn no_tasks() -> Tasks {
        Tasks::start(Limits::default())
    }

    const SETTINGS: DrainSettings = DrainSettings {
        lame_duck: Duration::from_mins(1),
        propagation_delay: Duration::from_secs(5),
        timeout: Duration::from_secs(100),
    };

    #[rstest]
    #[case::told_and_quiet(Phase::LameDuck, 5, None, false, Phase::Closing)]
    #[case::quiet_but_not_yet_told(Phase::LameDuck, 4, Some(60), true, Phase::LameDuck)]
    #[case::still_called(Phase::LameDuck, 30, Some(4), true, Phase::LameDuck)]
    #[case::called_for_ever(Phase::LameDuck, 60, Some(0), true, Phase::Closing)]
    #[case::pending(Phase::Closing, 99, None, false, Phase::Closing)]
    #[case::idle(Phase::Closing, 0, None, true, Phase::Stopped)]
    #[case::time_is_up(Phase::Closing, 100, None, false, Phase::Stopped)]
    #[case::serving_ends_by_a_signal_only(Phase::Serving, 1000, None, true, Phase::Serving)]
    fn phases_follow(
        #[case] phase: Phase,
        #[case] in_phase: u64,
        #[case] since_last_call: Option<u64>,
        #[case] idle: bool,
        #[case] expected: Phase,
    ) {
        let seen = Observation {
            in_phase: Duration::from_secs(in_phase),
            since_last_call: since_last_call.map(Duration::from_secs),
            idle,
        };
        assert_eq!(phase.next(seen, SETTINGS), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_server_ends_after_the_propagation_delay() {
        let (phase, mut seen) = watch::channel(Phase::Serving);
        let start = Instant::now();
        let watching = tokio::spawn(async move {
            let mut phases = Vec::new();
            while seen.changed().await.is_ok() {
                phases.push(*seen.borrow_and_update());
            }
            phases
        });
        let left = drain(&phase, &no_tasks(), &Calls::default(), SETTINGS).await;
        assert!(left.is_idle());
        assert!(start.elapsed() >= Duration::from_secs(5) && start.elapsed() < Duration::from_secs(6));
        drop(phase);
        assert_eq!(
            watching.await.unwrap(),
            [Phase::LameDuck, Phase::Closing, Phase::Stopped]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_no_task_is_waited_for_as_well() {
        let (phase, _) = watch::channel(Phase::Serving);
        let (calls, start) = (Calls::default(), Instant::now());
        let call = calls.begin();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(40)).await;
            drop(call);
        });
        let left = drain(&phase, &no_tasks(), &calls, SETTINGS).await;
        assert!(start.elapsed() >= Duration::from_secs(40) && start.elapsed() < Duration::from_secs(41));
        assert!(left.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_outlasts_the_drain_is_told() {
        let (phase, _) = watch::channel(Phase::Serving);
        let calls = Calls::default();
        let _endless = calls.begin();
        let left = drain(&phase, &no_tasks(), &calls, SETTINGS).await;
        assert!(left.tasks.is_idle());
        assert_eq!((left.calls, left.is_idle()), (1, false));
    }
}
