//! Functions in Python: run by worker processes, which are started, fed, watched and replaced from here.
//!
//! ```text
//! call ─► floor (a free slot) ─► slot's connection ─► answer ─► task
//! supervisor ─► fleet (pure: what becomes of workers) ─► host (starts processes) and workers (load, cancel, stop)
//! ```
//!
//! What server and Python side say to each other: docs/design/2026-11-21-python-workers.md. The Python side, in `python/`,
//! travels in this program.

mod brief;
mod call;
mod ending;
mod endings;
mod error;
mod failure;
mod fleet;
mod floor;
mod folder;
mod function;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod interpreter;
mod keeper;
mod links;
mod log;
mod meeting;
mod metrics;
mod package;
mod relay;
mod setting;
mod shared;
mod size;
mod sources;
mod stream;
mod supervisor;
mod verifier;
mod view;
mod weight;
mod wire;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::config::{PythonSection, ServerSection};
use crate::flight::ServerContext;
use crate::memory::{ResultBytes, System};
use endings::Endings;
use error::NoPython;
pub use error::PythonError;
use floor::Floor;
use folder::Folder;
pub(crate) use function::PythonFunction;
#[cfg(feature = "fuzzing")]
pub(crate) use fuzz::packet as fuzz_packet;
use keeper::{Keeper, Program};
use links::{Heard, Who};
use meeting::Meeting;
pub(crate) use meeting::check as check_socket;
use metrics::Asking;
pub(crate) use package::install as install_host;
pub(crate) use relay::Relay;
pub(crate) use setting::Setting;
use shared::Shared;
use size::Sizes;
use sources::Changes;
use supervisor::Supervisor;
pub(crate) use verifier::PythonVerifier;
use view::View;
use wire::{Listed, Listener};

/// What workers say that waits to be heard.
const HEARD: usize = 256;

/// The workers of one server. Dropping it ends them; [`Python::stop`] also waits for their end.
pub(crate) struct Python {
    end: Option<oneshot::Sender<()>>,
    supervisor: AbortOnDropHandle<()>,
    _accepting: AbortOnDropHandle<()>,
    shared: Arc<Shared>,
    meeting: Meeting,
    changes: Option<Changes>,
    telling: Option<[AbortOnDropHandle<()>; 2]>,
}

impl Python {
    /// Starts workers and waits until the first has loaded its functions. The others follow. Must be called on a Tokio
    /// runtime.
    ///
    /// # Errors
    /// When there is no Python, or a module does not load.
    pub(crate) async fn start(setting: Setting<'_>) -> Result<(Self, Vec<PythonFunction>), PythonError> {
        let Setting {
            python,
            server,
            tables,
            location,
            metrics,
            health,
            verifier,
            room,
        } = setting;
        let (hear, heard) = mpsc::channel(HEARD);
        let (meeting, listener, keeper) = if let Some(path) = &python.socket {
            let (socket, listener) = meeting::openly(path)?;
            (Meeting::Shared(socket), listener, None)
        } else {
            let (folder, listener, keeper) = child(python, hear.clone())?;
            (Meeting::Private(folder), listener, Some(keeper))
        };
        tracing::info!(socket = %meeting.socket().display(), "python_socket_open");
        let who = keeper
            .as_ref()
            .map_or(Who::Anybody, |keeper| Who::Child(keeper.process()));
        let sizes = sizes(python, server);
        let (orders, obeyed) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            floor: Mutex::new(Floor::new(sizes.threads())),
            orders,
            endings: Endings::default(),
            board: Mutex::default(),
            tasks: Mutex::default(),
            keys: Mutex::default(),
            up: watch::Sender::new(false),
            runtime: Handle::current(),
            grace: server.tasks.cancel_grace,
            tracebacks: python.tracebacks,
            room,
        });
        let view = Arc::new(Mutex::new(View::default()));
        view::show(&metrics, &view);
        if let Some(verifier) = &verifier {
            verifier.connect(&shared);
        }
        metrics.host(Asking(Arc::clone(&shared)));
        let accepting = links::accept(listener, Arc::clone(&shared), who, hear.clone());
        let (first, decided) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let (follows, changes) = python.follow.then(|| sources::follow(shared.orders.clone())).unzip();
        let supervisor = Supervisor {
            shared: Arc::clone(&shared),
            view,
            keeper,
            sizes,
            brief: brief::brief(
                python,
                server,
                tables,
                location,
                sizes.threads(),
                verifier.as_ref().map(PythonVerifier::module),
            ),
            metrics,
            health,
            heard,
            hear,
            orders: obeyed,
            first: Some(first),
            ends,
            follows,
        };
        let running = Self {
            end: Some(end),
            supervisor: AbortOnDropHandle::new(tokio::spawn(supervisor.run())),
            _accepting: AbortOnDropHandle::new(tokio::spawn(accepting)),
            shared: Arc::clone(&shared),
            meeting,
            changes,
            telling: None,
        };
        let gone = || PythonError::Ended("the server ends".to_owned());
        let decided = decided.await.unwrap_or_else(|_| Err(gone()));
        let listed = match decided {
            Ok(listed) => listed,
            Err(error) => {
                running.stop().await;
                return Err(error);
            }
        };
        match functions(listed, &shared) {
            Ok(functions) => Ok((running, functions)),
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }

    /// What answers calls with the methods that the worker has, instead of functions.
    pub(crate) fn relay(&self, server: ServerContext, max_request_bytes: usize) -> Relay {
        Relay::new(
            Arc::clone(&self.shared),
            &self.meeting.socket(),
            server,
            max_request_bytes,
        )
    }

    /// Tells which functions there are whenever changed modules have others; never where nobody asked to follow them.
    pub(crate) fn on_change(&mut self, tell: impl Fn(Vec<PythonFunction>) + Send + 'static) {
        let Some(Changes { mut listed, following }) = self.changes.take() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let telling = async move {
            while let Some(listed) = listed.recv().await {
                match functions(listed, &shared) {
                    Ok(functions) => tell(functions),
                    Err(error) => tracing::error!(reason = %error, "python_functions_not_loaded"),
                }
            }
        };
        self.telling = Some([following, AbortOnDropHandle::new(tokio::spawn(telling))]);
    }

    /// Ends the workers and waits for that.
    pub(crate) async fn stop(mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        // It panics only where it has a fault, which was logged.
        let _ = (&mut self.supervisor).await;
    }
}

impl std::fmt::Debug for Python {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Python").finish_non_exhaustive()
    }
}

/// A host that is a child of this process, and where it connects.
fn child(python: &PythonSection, hear: mpsc::Sender<Heard>) -> Result<(Folder, Listener, Keeper), PythonError> {
    let variable = |name| std::env::var_os(name);
    let interpreter = interpreter::find(
        python.interpreter.as_deref(),
        variable("VIRTUAL_ENV").as_deref(),
        variable("PATH").as_deref(),
        Path::is_file,
    )
    .map_err(NoPython::from)?;
    let parent = std::env::temp_dir();
    let unprepared = |source| PythonError::Folder {
        folder: parent.display().to_string(),
        source,
    };
    let (folder, listener) = meeting::privately(&parent).map_err(unprepared)?;
    let program = Program {
        interpreter,
        package: folder.package(),
        socket: folder.socket(),
        environment: keeper::environment(std::env::vars_os(), &python.path),
    };
    let keeper = Keeper::start(program, move |ended| {
        // It is a thread of its own, which may wait.
        let _ = hear.blocking_send(Heard::HostEnded(ended));
    })
    .map_err(unprepared)?;
    Ok((folder, listener, keeper))
}

fn functions(listed: Vec<Listed>, shared: &Arc<Shared>) -> Result<Vec<PythonFunction>, PythonError> {
    let functions = listed.into_iter().map(|listed| PythonFunction::new(listed, shared));
    functions.collect()
}

fn sizes(python: &PythonSection, server: &ServerSection) -> Sizes {
    let threads = server.tasks.threads;
    let system = System::ask();
    let (available, results_elsewhere) = if python.socket.is_some() {
        // The limit of this container means nothing there; the machine is the same.
        let results = ResultBytes::resolve(server.tasks.result_bytes, &system).bytes;
        let machine = System {
            machine: system.machine,
            ..System::default()
        };
        (ResultBytes::resolve(None, &machine).bytes, Some(results))
    } else {
        // What the result budget takes is a share of the memory there is; as much is left.
        (ResultBytes::resolve(None, &system).bytes, None)
    };
    Sizes {
        only_one: python.has_own_methods(),
        workers: python.workers,
        threads: python.threads,
        memory: python.worker_memory,
        // As many as run at most, with the reserve of functions that have less than their share.
        calls: threads + threads.div_ceil(4),
        available: Some(available),
        results_elsewhere,
        cpus: available_parallelism().map_or(1, usize::from),
        measured: None,
    }
}

/// Takes a lock. What it guards is whole between any two statements, so a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
