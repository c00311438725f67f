//! The tasks that can be found by their id, and when each is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::{Shared, Task, TaskId, Tasks, after, lock};

/// All tasks from submission until they expire or are evicted.
#[derive(Default)]
pub(super) struct Store {
    tasks: HashMap<TaskId, Kept>,
    /// Tasks that ended, in the order in which somebody has to look whether they expired. All are kept equally long, so
    /// it is the order in which they ended, but for those that were renewed.
    expiring: VecDeque<(Instant, TaskId)>,
}

struct Kept {
    task: Arc<Task>,
    /// When it expires, once it has ended.
    until: Option<Instant>,
}

impl Store {
    pub(super) fn insert(&mut self, task: Arc<Task>) {
        self.tasks.insert(task.id(), Kept { task, until: None });
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Arc<Task>> {
        self.tasks.get(&id).map(|kept| Arc::clone(&kept.task))
    }

    /// Forgets a task; the caller drops it, outside of the lock.
    pub(super) fn remove(&mut self, id: TaskId) -> Option<Arc<Task>> {
        self.tasks.remove(&id).map(|kept| kept.task)
    }

    /// Lets a task expire; tells whether it is the only one.
    pub(super) fn expire(&mut self, id: TaskId, at: Instant) -> bool {
        if let Some(kept) = self.tasks.get_mut(&id) {
            kept.until = Some(at);
        }
        self.expiring.push_back((at, id));
        self.expiring.len() == 1
    }

    /// When a task expires; `None` while it goes on, and when there is none.
    fn expiry(&self, id: TaskId) -> Option<Instant> {
        self.tasks.get(&id)?.until
    }

    /// Lets a task that has ended expire later. Its place in line is found when it would have expired.
    fn renew(&mut self, id: TaskId, until: Instant) -> Option<()> {
        let renewed = self.tasks.get_mut(&id)?.until.as_mut()?;
        *renewed = until.max(*renewed);
        Some(())
    }

    /// Forgets what has expired; the caller drops it, outside of the lock.
    fn take_expired(&mut self, now: Instant) -> Vec<Arc<Task>> {
        let mut expired = Vec::new();
        while let Some(&(at, id)) = self.expiring.front()
            && at <= now
        {
            self.expiring.pop_front();
            match self.expiry(id) {
                Some(until) if until > now => {
                    let place = self.expiring.partition_point(|&(other, _)| other <= until);
                    self.expiring.insert(place, (until, id));
                }
                Some(_) | None => expired.extend(self.remove(id)),
            }
        }
        expired
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.expiring.front().map(|&(at, _)| at)
    }
}

impl Tasks {
    /// When a task that is over, and its result, is forgotten.
    #[must_use]
    pub fn expiry(&self, task: &Task) -> Instant {
        let expiry = lock(&self.shared.store).expiry(task.id());
        // A task that has ended just now will be told in a moment.
        expiry.unwrap_or_else(|| after(Instant::now(), self.shared.limits.result_ttl))
    }

    /// Keeps the result of a task, by its id as it came from a client, for as long as if it had ended now. `None` when
    /// there is no result.
    #[must_use]
    pub fn renew(&self, id: &str) -> Option<Instant> {
        let until = after(Instant::now(), self.shared.limits.result_ttl);
        lock(&self.shared.store).renew(TaskId::parse(id)?, until)?;
        Some(until)
    }
}

/// Forgets tasks as they expire, forever.
pub(super) async fn sweep(shared: Arc<Shared>) {
    loop {
        let next = lock(&shared.store).next_expiry();
        match next {
            Some(at) => sleep_until(at).await,
            None => shared.sweep.notified().await,
        }
        let expired = lock(&shared.store).take_expired(Instant::now());
        if !expired.is_empty() {
            for task in &expired {
                task.collect();
            }
            // Frees much memory at a time, and drops streams that are a function's own code.
            drop(spawn_blocking(move || drop(expired)));
        }
    }
}
