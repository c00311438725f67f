//! What calls and the supervisor of the workers share. No lock in it is held while anything waits.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tracing::Span;

use super::endings::Endings;
use super::floor::{Asked, Floor, Grow, Taken, Use};
use super::lock;
use super::metrics::Board;
use super::wire::{Connection, Packet, ToSlot, WireError};
use crate::error::{ErrorCode, ErrorInfo, FlightKind};
use crate::function::FunctionError;
use crate::memory::Room;
use crate::task::TaskId;

/// How long a call waits for a worker while there is none.
pub(super) const NO_WORKER: Duration = Duration::from_secs(10);

/// What calls ask of the supervisor.
#[derive(Debug)]
pub(super) enum Order {
    /// A worker needs more slots.
    Grow(Grow),
    /// A task in a worker is cancelled.
    Cancel { worker: u64, task: TaskId },
    /// Nobody reads a stream any more.
    Drop { worker: u64, stream: u64 },
    /// A call, or a stream, does not come back.
    Hung { worker: u64 },
    /// A worker that takes no new calls has nothing left to do.
    Idle { worker: u64 },
    /// Somebody wants to know what workers count.
    Measure { waiting: oneshot::Sender<()> },
    /// A worker says what none says.
    Broken { worker: u64, why: String },
    /// The modules of functions changed.
    Renew,
}

pub(super) struct Shared {
    pub(super) floor: Mutex<Floor<Connection>>,
    pub(super) orders: mpsc::UnboundedSender<Order>,
    pub(super) endings: Endings,
    /// What workers count.
    pub(super) board: Mutex<Board>,
    pub(super) tasks: Mutex<HashMap<TaskId, Running>>,
    /// What workers prove by that they were started here.
    pub(super) keys: Mutex<HashMap<u64, String>>,
    /// Whether a worker takes calls.
    pub(super) up: watch::Sender<bool>,
    /// Calls that are dropped leave something to do behind.
    pub(super) runtime: Handle,
    /// How long a call may take to end once it should have.
    pub(super) grace: Duration,
    /// Whether clients are told tracebacks.
    pub(super) tracebacks: bool,
    /// Where results are kept, if they are.
    pub(super) room: Option<Room>,
}

/// A call that runs in a worker.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) worker: u64,
    /// What its log lines have in common.
    pub(super) span: Span,
}

impl Shared {
    pub(super) fn order(&self, order: Order) {
        // Nobody is there to hear it when the server ends.
        let _ = self.orders.send(order);
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// When there is no worker, and none comes.
    pub(super) async fn seat(self: &Arc<Self>, wants: Use) -> Result<Seat, FunctionError> {
        let (asked, grow) = lock(&self.floor).ask(wants, Instant::now());
        if let Some(grow) = grow {
            self.order(Order::Grow(grow));
        }
        let gone = |worker| async move { FunctionError::failed(format!("{}.", self.endings.of(worker).await.text())) };
        match (asked, wants) {
            (Asked::Now(taken), _) => Ok(Seat::new(self, taken, wants)),
            (Asked::Later(given), Use::Spell { worker } | Use::Left { worker }) => match given.await {
                Ok(taken) => Ok(Seat::new(self, taken, wants)),
                Err(_) => Err(gone(worker).await),
            },
            (Asked::Later(given), Use::Call { .. } | Use::Check) => {
                let mut waiting = Given(Some(given), Arc::clone(self), wants);
                loop {
                    if timeout(NO_WORKER, self.up.subscribe().wait_for(|up| *up))
                        .await
                        .is_err()
                    {
                        return Err(no_worker());
                    }
                    let mut changes = self.up.subscribe();
                    tokio::select! {
                        biased;
                        taken = waiting.taken() => {
                            return taken.map(|taken| Seat::new(self, taken, wants)).ok_or_else(no_worker);
                        }
                        _ = changes.wait_for(|up| !*up) => {}
                    }
                }
            }
            (Asked::Gone, Use::Spell { worker } | Use::Left { worker }) => Err(gone(worker).await),
            (Asked::Gone, Use::Call { .. } | Use::Check) => Err(no_worker()),
        }
    }

    /// Notes that a call runs in a worker, until the note is dropped.
    pub(super) fn note(self: &Arc<Self>, task: TaskId, worker: u64) -> Note {
        let span = Span::current();
        lock(&self.tasks).insert(task, Running { worker, span });
        Note(Arc::clone(self), task)
    }

    /// Cancels a task, wherever it runs.
    pub(super) fn cancel(&self, task: TaskId) {
        let worker = lock(&self.tasks).get(&task).map(|running| running.worker);
        if let Some(worker) = worker {
            self.order(Order::Cancel { worker, task });
        }
    }

    fn leave(&self, worker: u64, was: Use, connection: Option<Connection>) {
        let mut floor = lock(&self.floor);
        let idle = floor.leave(worker, was);
        let stray = connection.and_then(|connection| floor.arrive(worker, connection));
        drop(floor);
        drop(stray);
        if idle {
            self.order(Order::Idle { worker });
        }
    }
}

fn no_worker() -> FunctionError {
    FunctionError::flight(FlightKind::Unavailable, ErrorInfo::new(ErrorCode::NOT_READY, NOBODY))
}

/// What callers are told while nothing runs.
pub(super) const NOBODY: &str = "No worker process runs at the moment. Try again later.";

/// A slot that is waited for. One that was given in the moment that nobody wanted it any more goes back.
struct Given(Option<oneshot::Receiver<Taken<Connection>>>, Arc<Shared>, Use);

impl Given {
    async fn taken(&mut self) -> Option<Taken<Connection>> {
        let taken = self.0.as_mut()?.await.ok();
        self.0 = None;
        taken
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(mut given) = self.0.take() {
            given.close();
            if let Ok(Taken { worker, slot }) = given.try_recv() {
                self.1.leave(worker, self.2, Some(slot));
            }
        }
    }
}

/// A slot in use. Dropped before it is done, it is of no use any more: what it would answer next belongs to nobody.
pub(super) struct Seat {
    shared: Arc<Shared>,
    pub(super) worker: u64,
    was: Use,
    connection: Option<Connection>,
}

impl Seat {
    fn new(shared: &Arc<Shared>, taken: Taken<Connection>, was: Use) -> Self {
        Self {
            shared: Arc::clone(shared),
            worker: taken.worker,
            was,
            connection: Some(taken.slot),
        }
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Nobody waits for the call here any more: another may run beside it.
    fn give_up(&mut self) {
        if self.was == Use::Check {
            // A token is decided about in places of its own, which stay taken.
            return;
        }
        let (was, grow) = lock(&self.shared.floor).give_up(self.worker, self.was);
        self.was = was;
        if let Some(grow) = grow {
            self.shared.order(Order::Grow(grow));
        }
    }

    pub(super) async fn send(&self, head: &ToSlot<'_>, body: &[u8]) -> Result<(), WireError> {
        match &self.connection {
            Some(connection) => connection.send(head, body).await,
            None => Err(WireError::Closed),
        }
    }

    pub(super) async fn send_along(&self, head: &ToSlot<'_>, file: &OwnedFd) -> Result<(), WireError> {
        match &self.connection {
            Some(connection) => connection.send_along(head, file).await,
            None => Err(WireError::Closed),
        }
    }

    pub(super) async fn recv(&self) -> Result<Packet, WireError> {
        match &self.connection {
            Some(connection) => connection.recv().await,
            None => Err(WireError::Closed),
        }
    }

    /// The slot has answered, and is free again.
    pub(super) fn done(mut self) {
        let connection = self.connection.take();
        self.shared.leave(self.worker, self.was, connection);
    }

    /// What a connection says that does not go on, for who waits for an answer.
    pub(super) async fn fails(self, error: WireError) -> FunctionError {
        let (worker, shared) = (self.worker, Arc::clone(&self.shared));
        match error {
            WireError::Closed => {}
            error @ (WireError::Malformed(_) | WireError::Io(_)) => {
                let why = crate::telemetry::chain(&error);
                shared.order(Order::Broken { worker, why });
            }
        }
        drop(self);
        FunctionError::failed(format!("{}.", shared.endings.of(worker).await.text()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.connection.take().is_some() {
            self.shared.leave(self.worker, self.was, None);
        }
    }
}

/// That a call runs in a worker, until dropped.
pub(super) struct Note(Arc<Shared>, TaskId);

impl Drop for Note {
    fn drop(&mut self) {
        lock(&self.0.tasks).remove(&self.1);
    }
}

/// A call that waits for its answer. Dropped before that, somebody else waits for as long as the call may take, and says
/// that its worker hangs when that is over.
pub(super) struct Waiting {
    seat: Option<Seat>,
    until: Instant,
}

impl Waiting {
    pub(super) const fn new(seat: Seat, until: Instant) -> Self {
        Self {
            seat: Some(seat),
            until,
        }
    }

    /// The answer, and the slot.
    pub(super) async fn answer(mut self) -> Result<(Packet, Seat), FunctionError> {
        let answer = match &self.seat {
            Some(seat) => seat.recv().await,
            None => Err(WireError::Closed),
        };
        match (self.seat.take(), answer) {
            (Some(seat), Ok(packet)) => Ok((packet, seat)),
            (Some(seat), Err(error)) => Err(seat.fails(error).await),
            (None, _) => Err(FunctionError::cancelled()),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(mut seat) = self.seat.take() {
            seat.give_up();
            let until = self.until;
            let runtime = seat.shared.runtime.clone();
            drop(runtime.spawn(super::call::outlive(seat, until)));
        }
    }
}
