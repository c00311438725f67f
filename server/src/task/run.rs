//! Runs work where it belongs: on the threads of the network, or on threads of its own. A panic of it stays there.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tracing::{Instrument as _, Span};

use super::leaks::{Leak, Leaks};
use super::threads::{Priority, Threads};
use super::{FunctionError, Output, TaskContext, Work, batches, lock};
use crate::telemetry::spans;

/// What work came to.
type Returned = Result<Output, FunctionError>;

/// The threads for work that blocks, and for the streams that it returned.
#[derive(Clone)]
pub(super) struct Workshop {
    pub(super) calls: Arc<Threads>,
    pub(super) batches: Arc<Threads>,
}

impl Workshop {
    /// So many threads at most for calls, and so many for the batches of streams. Batches wait for their turn; so do calls,
    /// but there are never more of them than threads for long.
    pub(super) fn new(calls: usize, batches: usize) -> Self {
        Self {
            // A thread has told its result a moment before it is free again; the next call may come within that.
            calls: Arc::new(Threads::new("fun-call", Priority::Low, calls, calls)),
            batches: Arc::new(Threads::new("fun-batches", Priority::Low, batches, usize::MAX)),
        }
    }
}

/// Work that runs, and what it returns.
pub(super) enum Running {
    /// On the threads of the network, whenever it is not waiting.
    Here(BoxFuture<'static, Returned>),
    /// On a thread of its own.
    OnThread {
        returned: oneshot::Receiver<Returned>,
        parting: Arc<Mutex<Parting>>,
    },
    /// Nowhere: it was stopped.
    Stopped,
}

/// Which came first: that work returned from its thread, or that it was given up.
pub(super) enum Parting {
    Running,
    GivenUp(#[expect(dead_code, reason = "it counts by being there")] Leak),
    Returned,
}

impl Running {
    /// Starts work.
    pub(super) fn start(work: Arc<dyn Work>, context: TaskContext, workshop: &Workshop) -> Result<Self, FunctionError> {
        let span = spans::task_run(&Span::current(), context.id);
        if !work.blocking() {
            let run = traced(work, context);
            return Ok(Self::Here(contained(run.instrument(span)).boxed()));
        }
        let (send, returned) = oneshot::channel();
        let parting = Arc::new(Mutex::new(Parting::Running));
        let (own, runtime, threads) = (Arc::clone(&parting), Handle::current(), Arc::clone(&workshop.batches));
        workshop.calls.run(move || {
            let run = traced(work, context);
            let output = runtime.block_on(contained(run.instrument(span)));
            let unwanted = send.send(output.map(|output| batches::on_threads(output, threads)));
            let given_up = std::mem::replace(&mut *lock(&own), Parting::Returned);
            drop(given_up);
            // Perhaps a stream, which is the function's own code. If it panics, the thread knows how to take that.
            drop(unwanted);
        })?;
        Ok(Self::OnThread { returned, parting })
    }

    /// Stops work that does not stop by itself. Asynchronous work is dropped on the spot. What holds a thread runs on and
    /// is not waited for, if one more may be leaked. Tells whether there is nothing to wait for any more.
    pub(super) fn stop(&mut self, leaks: &Leaks) -> bool {
        match self {
            Self::Here(_) => {
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(std::mem::replace(self, Self::Stopped))));
                if dropped.is_err() {
                    *self = Self::Stopped;
                }
                true
            }
            Self::OnThread { parting, .. } => {
                let mut parting = lock(parting);
                match *parting {
                    Parting::Running => leaks.one_more().map(|leak| *parting = Parting::GivenUp(leak)).is_some(),
                    Parting::GivenUp(_) => true,
                    Parting::Returned => false,
                }
            }
            Self::Stopped => true,
        }
    }
}

impl Future for Running {
    type Output = Returned;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Returned> {
        match &mut *self {
            Self::Here(future) => future.poll_unpin(context),
            // The thread always answers, unless it could not even begin.
            Self::OnThread { returned, .. } => {
                Poll::Ready(ready!(returned.poll_unpin(context)).unwrap_or_else(|_| Err(FunctionError::cancelled())))
            }
            Self::Stopped => Poll::Ready(Err(FunctionError::cancelled())),
        }
    }
}

/// Runs work, and tells its trace of a failure.
async fn traced(work: Arc<dyn Work>, context: TaskContext) -> Returned {
    let returned = work.run(context).await;
    if let Err(error) = &returned {
        spans::run_failed(&Span::current(), error);
    }
    returned
}

/// The same, with a panic as an error.
async fn contained(work: impl Future<Output = Returned>) -> Returned {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(FunctionError::panicked()))
}

/// Starts work outside of any task, for programs that want its result and nothing else. Aborting the handle drops
/// asynchronous work at its next await; blocking work runs on.
pub(crate) fn start(work: Arc<dyn Work>, context: TaskContext) -> JoinHandle<Returned> {
    tokio::spawn(async move { Running::start(work, context, &Workshop::new(1, 1))?.await })
}

/// The error of work whose handle has no result.
pub(crate) fn panicked(error: &JoinError) -> FunctionError {
    if error.is_panic() {
        FunctionError::panicked()
    } else {
        FunctionError::cancelled()
    }
}
