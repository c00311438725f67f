//! Threads for code that blocks or computes: started when they are needed, gone when they are not, never more than
//! allowed, and in the second row when the processor is scarce.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use super::lock;

/// How long a thread waits for its next job before it ends.
const IDLE: Duration = Duration::from_secs(10);

/// What these threads are nice by. Beside one that serves the network, one of them gets about a tenth of a core when
/// both want it; when nobody else does, all of it.
const NICE: i32 = 10;

/// What a thread is asked to do. A panic in it ends there.
type Job = Box<dyn FnOnce() + Send>;

/// A number of threads at most, and jobs that wait for one of them.
pub(super) struct Threads {
    pool: Arc<Pool>,
}

struct Pool {
    name: &'static str,
    priority: Priority,
    most_threads: usize,
    most_waiting: usize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    /// Threads that are about to take a job, or wait for one.
    idle: usize,
    closed: bool,
}

/// How threads stand back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    /// They do not.
    Normal,
    /// They leave the processor to those who answer clients.
    Low,
}

/// A job that nobody will do.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoThread {
    #[error("too many jobs wait for a thread already")]
    Crowded,
    #[error("no thread can be started")]
    System(#[source] io::Error),
}

impl Threads {
    /// None so far. Threads bear the name; 15 characters of it show.
    pub(super) fn new(name: &'static str, priority: Priority, most_threads: usize, most_waiting: usize) -> Self {
        Self {
            pool: Arc::new(Pool {
                name,
                priority,
                most_threads: most_threads.max(1),
                most_waiting,
                state: Mutex::default(),
                wake: Condvar::new(),
            }),
        }
    }

    /// Has a thread do this, as soon as there is one.
    pub(super) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), NoThread> {
        let mut state = lock(&self.pool.state);
        if state.jobs.len() < state.idle {
            state.jobs.push_back(Box::new(job));
            drop(state);
            self.pool.wake.notify_one();
            return Ok(());
        }
        if state.threads < self.pool.most_threads {
            state.jobs.push_back(Box::new(job));
            let added = self.add_thread(&mut state);
            let unwanted = added.is_err().then(|| state.jobs.pop_back());
            // A job may be a function's own code, and so may dropping it be.
            drop(state);
            drop(unwanted);
            return added;
        }
        if state.jobs.len() - state.idle >= self.pool.most_waiting {
            return Err(NoThread::Crowded);
        }
        state.jobs.push_back(Box::new(job));
        Ok(())
    }

    /// Starts a thread for the job that came last. Without any thread it would wait for ever; with some it just waits.
    fn add_thread(&self, state: &mut State) -> Result<(), NoThread> {
        let pool = Arc::clone(&self.pool);
        let started = thread::Builder::new()
            .name(self.pool.name.to_owned())
            .spawn(move || pool.work());
        match started {
            Ok(_) => {
                state.threads += 1;
                state.idle += 1;
            }
            Err(error) if state.threads == 0 => return Err(NoThread::System(error)),
            Err(error) => tracing::warn!(exception = %error, threads = state.threads, "thread_start_failed"),
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.pool.state).threads
    }

    /// Threads that do something.
    #[cfg(test)]
    pub(super) fn busy(&self) -> usize {
        let state = lock(&self.pool.state);
        state.threads - state.idle
    }
}

/// Threads end when they have done what they were asked to.
impl Drop for Threads {
    fn drop(&mut self) {
        lock(&self.pool.state).closed = true;
        self.pool.wake.notify_all();
    }
}

impl Pool {
    /// The life of a thread.
    fn work(&self) {
        if self.priority == Priority::Low {
            stand_back();
        }
        while let Some(job) = self.next_job() {
            // What a job wants to tell, it has told; the panic hook has logged this.
            let _ = catch_unwind(AssertUnwindSafe(job));
            lock(&self.state).idle += 1;
        }
    }

    /// The next job; `None` when the thread shall end.
    fn next_job(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let mut rested = false;
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.idle -= 1;
                return Some(job);
            }
            if state.closed || rested {
                state.idle -= 1;
                state.threads -= 1;
                return None;
            }
            let waited = self.wake.wait_timeout(state, IDLE);
            let (woken, timeout) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
            state = woken;
            rested = timeout.timed_out();
        }
    }
}

/// Lowers the priority of the calling thread. Where the system has it per process only, or forbids it, all stays as it is.
#[cfg(target_os = "linux")]
fn stand_back() {
    // On Linux this is about the calling thread, whatever POSIX says.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(exception = %error, "thread_priority_failed");
    }
}

#[cfg(not(target_os = "linux"))]
fn stand_back() {
    let _ = NICE;
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn jobs_run_side_by_side_up_to_the_limit_and_then_in_order() {
        let threads = Threads::new("test", Priority::Normal, 2, 2);
        let (say, said) = mpsc::channel();
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for n in 0..4 {
            let (say, gate) = (say.clone(), Arc::clone(&gate));
            let job = move || {
                say.send(n).expect("heard");
                let _ = lock(&gate).recv();
            };
            threads.run(job).expect("room");
        }
        let mut first = [0, 1].map(|_| said.recv_timeout(10 * SECOND).expect("two begin"));
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert!(matches!(threads.run(|| ()), Err(NoThread::Crowded)));
        assert!(said.try_recv().is_err(), "two wait");
        drop(open);
        assert_eq!(
            [0, 1]
                .map(|_| said.recv_timeout(10 * SECOND).expect("they begin"))
                .iter()
                .sum::<i32>(),
            5
        );
        assert!(threads.count() <= 2);
    }

    #[test]
    fn a_panic_costs_no_thread() {
        let threads = Threads::new("test", Priority::Normal, 1, 10);
        let (say, said) = mpsc::channel();
        threads.run(|| panic!("expected")).expect("room");
        threads.run(move || say.send(()).expect("heard")).expect("room");
        said.recv_timeout(10 * SECOND).expect("the thread lives");
        assert_eq!(threads.count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn low_priority_is_the_threads_own() {
        let nice_of = |priority| {
            let (say, said) = mpsc::channel();
            let threads = Threads::new("test", priority, 1, 0);
            threads
                .run(move || say.send(rustix::process::getpriority_process(None)).expect("heard"))
                .expect("room");
            said.recv_timeout(10 * SECOND).expect("an answer").expect("a priority")
        };
        let normal = nice_of(Priority::Normal);
        assert_eq!(nice_of(Priority::Low), NICE.max(normal));
        assert_eq!(nice_of(Priority::Normal), normal);
    }

    #[test]
    fn threads_end_when_nobody_can_ask_for_more() {
        let threads = Threads::new("test", Priority::Normal, 4, 0);
        let (say, said) = mpsc::channel();
        threads.run(move || say.send(()).expect("heard")).expect("room");
        said.recv_timeout(10 * SECOND).expect("done");
        let pool = Arc::downgrade(&threads.pool);
        drop(threads);
        let deadline = std::time::Instant::now() + 10 * SECOND;
        while pool.strong_count() > 0 {
            assert!(std::time::Instant::now() < deadline, "a thread is left");
            thread::yield_now();
        }
    }
}
