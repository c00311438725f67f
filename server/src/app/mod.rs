//! Wires the parts of a server together and runs them until the end of a drain.

mod announce;
mod builder;
pub(crate) mod check;
pub(crate) mod load;
mod running;

use std::sync::Arc;

use futures::future::OptionFuture;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

pub use builder::{Functions, Methods, Server, ServerBuilder};
pub use running::Running;

use crate::admin::{self, Health, OpenError, Pulse, Status};
use crate::auth::{AuthError, Authenticator, Brought};
use crate::config::{Config, Tables, TaskSettings};
use crate::drain::{Calls, Phase};
use crate::flight::{self, Dispatcher, Fork, Offered, ServerContext};
use crate::function::{FunctionError, LoadContext, LoadError, RegistryError};
use crate::memory::{self, ResultBytes, Room, Spill, SpillError, System};
use crate::net::{self, Advertised, BindError, TlsError};
use crate::task::{Limits, Tasks};
use crate::telemetry::Metrics;
use crate::worker::{PythonError, PythonVerifier, Setting};
use load::Checked;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A function cannot be served.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody could decide about tokens.
    #[error(transparent)]
    Authentication(#[from] AuthError),
    /// A port cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Health or metrics cannot be served.
    #[error(transparent)]
    Admin(#[from] OpenError),
    /// Reflection cannot be served.
    #[error("the reflection service cannot be made")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// Results cannot be written where they should be.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// A function failed to load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The program's own verifier could not be made.
    #[error("the verifier failed to start: {0}")]
    Verifier(FunctionError),
    /// The service could not be made.
    #[error("the service failed to start: {0}")]
    Service(FunctionError),
    /// Functions in Python cannot be served.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// Functions of the program and methods of a module cannot both be served.
    #[error(
        "this program has functions of its own, and {0} has Flight methods: a call would not say whom it is for; \
         leave out --methods-provider and python.methods_provider"
    )]
    FunctionsAndProvider(String),
    /// A command is about functions, and there is a service instead.
    #[error("there are Flight methods and no functions: use the `start` command")]
    NoFunctions,
}

impl Server {
    /// Starts the server: opens its ports, loads what it serves, and serves. Calls that come before that are answered
    /// with `NOT_READY`. Dropping the future before it is done closes the Flight port again.
    ///
    /// Must be called on a multi-threaded Tokio runtime; the server lives on it.
    #[expect(
        clippy::too_many_lines,
        reason = "the parts one after the other, as they depend on each other"
    )]
    pub async fn start(self, config: Config) -> Result<Running, StartError> {
        let Config {
            server,
            flexconnect,
            python,
            tables,
            effective,
            origin,
        } = config;
        announce::starting(&effective);
        let serves = Checked::new(self.serves)?;
        let metrics = Metrics::new();
        let (tls, following_tls) = server
            .tls
            .clone()
            .map(|tls| net::tls::open(tls, metrics.clone()))
            .transpose()?
            .unzip();
        let (advertised, following_address) = Advertised::open(&server, metrics.clone());
        let location = advertised.location();
        let following = AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::join!(OptionFuture::from(following_tls), following_address);
        }));

        let (phase, phases) = watch::channel(Phase::Starting);
        let pulses = [Pulse::new("flight"), Pulse::new("tasks")];
        let health = Health::new(phases.clone(), pulses.to_vec());
        memory::give_back_unused();
        let room = room(&server.tasks)?;
        let result_bytes = room.memory().limit();
        let budget = room.memory().clone();
        let shown = budget.clone();
        metrics.show_memory_budget(result_bytes, move || shown.used());
        let tasks = Tasks::start_in(room.clone(), Limits::of(&server.tasks, &flexconnect), metrics.clone());
        let current = phases.clone();
        metrics.show_phase(Phase::ALL, move || *current.borrow());
        let status = Status::new(health.clone(), metrics.clone(), tasks.clone());
        admin::open(server.health.as_ref(), server.metrics.as_ref(), status).await?;
        let verifier = PythonVerifier::asked_for(&server.authentication);
        let brought = Brought {
            by_program: self.verifier.make(&Tables::new(tables.clone()))?,
            by_workers: verifier.clone().map(|verifier| Arc::new(verifier) as _),
        };
        let authenticator = Authenticator::start(
            server.authentication.clone(),
            server.pass_credentials,
            brought,
            origin,
            metrics.clone(),
        )
        .await?;
        let (listener, address) = net::listen::bind(&server.listen, net::listen::FLIGHT).await?;
        announce::announce(&server, address, &location);

        let calls = Calls::default();
        let told: flight::Location = Arc::new(move || advertised.location());
        let context = ServerContext::new(Offered {
            tables: Tables::new(tables.clone()),
            location: Arc::clone(&told),
            tasks: tasks.clone(),
            health: health.clone(),
            metrics: metrics.clone(),
            calls: calls.clone(),
            answers: server.answers.clone(),
        });
        let dispatcher = Dispatcher::new(context.clone());
        let max_request_bytes = server.answers.max_request_bytes.map_or(result_bytes, saturating);
        let guarded = flight::service(dispatcher.clone(), max_request_bytes, budget, server.answers.reflection);
        let setting =
            Setting::new(&python, &server, &tables, &location).served_by(metrics.clone(), health.clone(), room.clone());
        let setting = setting.deciding(verifier);
        let service = Fork {
            prefix: flight::HEALTH,
            matching: Some(flight::health(health, phases.clone())),
            others: net::stack::stack(
                guarded.map_err(StartError::Reflection)?,
                phases.clone(),
                authenticator,
                metrics.clone(),
                told,
            ),
        };
        let [flight_pulse, tasks_pulse] = pulses;
        let accepting = tokio::spawn(net::accept::serve(
            listener,
            tls,
            service,
            server.connections.clone(),
            metrics,
            phases,
            flight_pulse,
        ));
        let accepting = AbortOnDropHandle::new(accepting);
        let beating = AbortOnDropHandle::new(tokio::spawn(beat(tasks.clone(), tasks_pulse)));

        let load = LoadContext::new(tables.clone(), location.clone());
        let loading = serves.load(&load, context, flexconnect, setting, max_request_bytes);
        let (serving, python) = loading.await?;
        dispatcher.serve(serving);
        phase.send_replace(Phase::Serving);
        Ok(Running {
            address,
            location,
            phase,
            tasks,
            calls,
            drain: server.drain,
            accepting,
            _beating: beating,
            _following: following,
            python,
        })
    }
}

/// The tasks live when their locks can be taken and the runtime gets round to it.
async fn beat(tasks: Tasks, pulse: Pulse) {
    let mut beat = interval(Pulse::INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        tasks.touch();
        pulse.beat();
    }
}

/// Where results may go.
fn room(settings: &TaskSettings) -> Result<Room, SpillError> {
    let ResultBytes { bytes, source } = ResultBytes::resolve(settings.result_bytes, &System::ask());
    tracing::info!(bytes, %source, "memory_budget");
    let spill = settings.spill.as_ref();
    let spill = spill.map(|spill| Spill::open(&spill.directory, saturating(spill.bytes)));
    Ok(Room::new(saturating(bytes), spill.transpose()?))
}

/// A number of bytes that this machine can count.
fn saturating(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
