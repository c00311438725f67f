//! Runs work where it belongs: on the threads of the network, or on threads of its own. A panic of it stays there.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tracing::{Instrument as _, Span};

use super::leaks::{Errand, Leaks};
use super::workshop::Workshop;
use super::{FunctionError, Output, TaskContext, Work, batches};
use crate::telemetry::{Metrics, spans};

/// What work came to.
type Returned = Result<Output, FunctionError>;

/// Work that runs, and what it returns.
pub(super) enum Running {
    /// On the threads of the network, whenever it is not waiting.
    Here(BoxFuture<'static, Returned>),
    /// On a thread of its own.
    OnThread {
        returned: oneshot::Receiver<Returned>,
        errand: Errand,
    },
    /// Nowhere: it was stopped.
    Stopped,
}

impl Running {
    /// Starts work, which blocks as it said before.
    pub(super) fn start(
        work: Arc<dyn Work>,
        blocking: bool,
        context: TaskContext,
        workshop: &Workshop,
    ) -> Result<Self, FunctionError> {
        let span = spans::task_run(&Span::current(), context.id);
        if !blocking {
            let run = traced(work, context);
            return Ok(Self::Here(contained(run.instrument(span)).boxed()));
        }
        let (send, returned) = oneshot::channel();
        let errand = Errand::default();
        let (own, runtime, shop) = (errand.clone(), Handle::current(), workshop.clone());
        workshop.calls.run(move || {
            let run = traced(work, context);
            let output = runtime.block_on(contained(run.instrument(span)));
            let unwanted = send.send(output.map(|output| batches::on_threads(output, shop, runtime)));
            own.done();
            // Perhaps a stream, which is the function's own code. If it panics, the thread knows how to take that.
            drop(unwanted);
        })?;
        Ok(Self::OnThread { returned, errand })
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
            Self::OnThread { errand, .. } => errand.give_up(leaks),
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
    let workshop = Workshop::new(1, Leaks::new(1, Metrics::new()));
    tokio::spawn(async move {
        let blocking = work.blocking();
        Running::start(work, blocking, context, &workshop)?.await
    })
}

/// The error of work whose handle has no result.
pub(crate) fn panicked(error: &JoinError) -> FunctionError {
    if error.is_panic() {
        FunctionError::panicked()
    } else {
        FunctionError::cancelled()
    }
}
