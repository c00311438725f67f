//! When each task has to be over: one line of all deadlines, and one sweeper that holds tasks to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::state::Reason;
use super::{Shared, Task, TaskId, lock};

/// The tasks that are not over, by their deadline.
#[derive(Default)]
pub(super) struct Deadlines {
    tasks: BTreeMap<(Instant, TaskId), Arc<Task>>,
    /// When the sweeper looks next. Tasks that are over meanwhile do not make it look later.
    next_look: Option<Instant>,
}

impl Deadlines {
    /// Adds a task; tells whether the sweeper would come too late for it, and has to be told.
    pub(super) fn insert(&mut self, task: Arc<Task>) -> bool {
        let at = task.deadline();
        self.tasks.insert((at, task.id()), task);
        let too_late = self.next_look.is_none_or(|look| at < look);
        if too_late {
            self.next_look = Some(at);
        }
        too_late
    }

    /// Takes out a task that is over; the caller drops it, outside of the lock.
    pub(super) fn remove(&mut self, task: &Task) -> Option<Arc<Task>> {
        self.tasks.remove(&(task.deadline(), task.id()))
    }

    /// When to look next.
    fn plan(&mut self) -> Option<Instant> {
        self.next_look = self.tasks.first_key_value().map(|(&(at, _), _)| at);
        self.next_look
    }

    /// Takes out the tasks whose deadline passed.
    fn take_due(&mut self, now: Instant) -> Vec<Arc<Task>> {
        let mut due = Vec::new();
        while let Some(first) = self.tasks.first_entry()
            && first.key().0 <= now
        {
            due.push(first.remove());
        }
        due
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

/// Cancels tasks as their deadlines pass, forever.
pub(super) async fn enforce(shared: Arc<Shared>) {
    loop {
        let next = lock(&shared.deadlines).plan();
        let earlier = shared.earlier_deadline.notified();
        match next {
            Some(at) => {
                tokio::select! {
                    () = sleep_until(at) => {}
                    () = earlier => {}
                }
            }
            None => earlier.await,
        }
        let due = lock(&shared.deadlines).take_due(Instant::now());
        for task in due {
            task.span().in_scope(|| {
                tracing::warn!(fun = task.kind(), task_id = %task.id(), "flexconnect_fun_call_timeout");
            });
            task.pass_deadline();
            shared.cancel(task, Reason::Deadline);
        }
    }
}
