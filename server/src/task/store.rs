//! The tasks that can be found by their id, and when each is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::{Shared, Task, TaskId, lock};

/// All tasks from submission until they expire or are evicted.
#[derive(Default)]
pub(super) struct Store {
    tasks: HashMap<TaskId, Arc<Task>>,
    /// Tasks that ended, in that order. All are kept equally long, so it is also the order in which they expire.
    expiring: VecDeque<(Instant, TaskId)>,
}

impl Store {
    pub(super) fn insert(&mut self, task: Arc<Task>) {
        self.tasks.insert(task.id(), task);
    }

    pub(super) fn get(&self, id: TaskId) -> Option<Arc<Task>> {
        self.tasks.get(&id).cloned()
    }

    /// Forgets a task; the caller drops it, outside of the lock.
    pub(super) fn remove(&mut self, id: TaskId) -> Option<Arc<Task>> {
        self.tasks.remove(&id)
    }

    /// Lets a task expire; tells whether it is the only one.
    pub(super) fn expire(&mut self, id: TaskId, at: Instant) -> bool {
        self.expiring.push_back((at, id));
        self.expiring.len() == 1
    }

    /// Forgets what has expired; the caller drops it, outside of the lock.
    fn take_expired(&mut self, now: Instant) -> Vec<Arc<Task>> {
        let mut expired = Vec::new();
        while let Some(&(at, id)) = self.expiring.front()
            && at <= now
        {
            self.expiring.pop_front();
            expired.extend(self.tasks.remove(&id));
        }
        expired
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.expiring.front().map(|&(at, _)| at)
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
