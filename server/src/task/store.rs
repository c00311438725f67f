//! The tasks that can be found by their id, and when each is forgotten.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::state::Ending;
use super::{Shared, Task, TaskId, Tasks, after, lock};

/// Room for so many tasks is kept when there are fewer; what is beyond is given back when most of it is empty.
const SPARE: usize = 1024;

/// All tasks from submission until they expire or are evicted.
#[derive(Default)]
pub(super) struct Store {
    tasks: HashMap<TaskId, Kept>,
    /// The tasks that ended, by when they expire.
    expiring: BTreeSet<(Instant, TaskId)>,
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
        let kept = self.tasks.remove(&id)?;
        if let Some(until) = kept.until {
            self.expiring.remove(&(until, id));
        }
        Some(kept.task)
    }

    /// Lets a task that has ended expire, unless it is forgotten already; tells whether it is the only one that does.
    pub(super) fn expire(&mut self, id: TaskId, at: Instant) -> bool {
        let Some(kept) = self.tasks.get_mut(&id) else {
            return false;
        };
        kept.until = Some(at);
        self.expiring.insert((at, id));
        self.expiring.len() == 1
    }

    /// When a task expires; `None` while it goes on, and when there is none.
    fn expiry(&self, id: TaskId) -> Option<Instant> {
        self.tasks.get(&id)?.until
    }

    /// Lets a task expire later, if it has a result.
    fn renew(&mut self, id: TaskId, until: Instant) -> Option<()> {
        let kept = self.tasks.get_mut(&id)?;
        let renewed = kept.until.as_mut()?;
        match kept.task.ending()? {
            Ending::Succeeded => {}
            Ending::Failed | Ending::Cancelled(_) => return None,
        }
        if until > *renewed {
            self.expiring.remove(&(*renewed, id));
            self.expiring.insert((until, id));
            *renewed = until;
        }
        Some(())
    }

    /// Forgets what has expired; the caller drops it, outside of the lock.
    fn take_expired(&mut self, now: Instant) -> Vec<Arc<Task>> {
        let mut expired = Vec::new();
        while let Some(&(at, id)) = self.expiring.first()
            && at <= now
        {
            self.expiring.pop_first();
            expired.extend(self.tasks.remove(&id).map(|kept| kept.task));
        }
        if self.tasks.capacity() > SPARE.max(8 * self.tasks.len()) {
            self.tasks.shrink_to(SPARE.max(2 * self.tasks.len()));
        }
        expired
    }

    /// How many tasks there are, how many of them expire, and how many there is room for.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.tasks.len(), self.expiring.len(), self.tasks.capacity())
    }

    fn next_expiry(&self) -> Option<Instant> {
        self.expiring.first().map(|&(at, _)| at)
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

impl Shared {
    /// Drops tasks that are forgotten where that may take long: it frees much memory at a time, and drops streams that are
    /// a function's own code.
    pub(super) fn discard(&self, forgotten: Vec<Arc<Task>>) {
        if forgotten.is_empty() {
            return;
        }
        for task in &forgotten {
            task.collect();
        }
        let closing = self.metrics.results_closing(forgotten.len());
        let discarding = self.runtime.spawn_blocking(move || {
            drop(forgotten);
            drop(closing);
        });
        drop(discarding);
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
        shared.discard(expired);
    }
}
