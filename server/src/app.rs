//! Wires the parts of a server together and runs them until the end of a drain.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::admin::{self, Health, Pulse};
use crate::auth::Authenticator;
use crate::config::{Authentication, Config, DrainSettings, ServerSection};
use crate::drain::{self, Phase};
use crate::flight::{FlexConnectService, FlightServer, Settings};
use crate::function::{FlexConnectFunction, LoadContext, LoadError, Registry, RegistryBuilder, RegistryError};
use crate::net::{self, BindError, TlsError};
use crate::task::{Limits, Load, Tasks};

/// The functions of a server, before it starts.
///
/// [`crate::cli::run`] makes a program of it; [`Server::start`] starts it within another one.
#[derive(Debug, Default)]
pub struct Server {
    functions: RegistryBuilder,
}

/// Collects the functions of a [`Server`].
#[derive(Debug, Default)]
pub struct ServerBuilder {
    functions: RegistryBuilder,
}

impl ServerBuilder {
    /// Adds a function. Clients see functions in the order they were added.
    #[must_use]
    pub fn function<F: FlexConnectFunction>(mut self, function: F) -> Self {
        self.functions = self.functions.function(function);
        self
    }

    /// The server of these functions. That their names differ is checked when it starts.
    #[must_use]
    pub fn build(self) -> Server {
        Server {
            functions: self.functions,
        }
    }
}

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
    /// A port cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The health endpoint cannot be served.
    #[error("the health endpoint cannot be started")]
    Health(#[source] io::Error),
    /// A function failed to load.
    #[error(transparent)]
    Load(#[from] LoadError),
}

impl Server {
    /// A server without functions so far.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// The registry of the functions, not yet loaded.
    pub(crate) fn into_registry(self) -> Result<Registry, RegistryError> {
        self.functions.build()
    }

    /// Starts the server: opens its ports, loads the functions, and serves. Calls that come while functions load are
    /// answered with `NOT_READY`. Dropping the future before it is done closes the Flight port again.
    ///
    /// Must be called on a multi-threaded Tokio runtime; the server lives on it.
    pub async fn start(self, config: Config) -> Result<Running, StartError> {
        let Config {
            server,
            flexconnect,
            tables,
            origin: _,
        } = config;
        let json_summary = summary(&server, flexconnect.call_deadline, flexconnect.polling_interval);
        tracing::info!(
            platform = std::env::consts::OS,
            arrow_version = arrow::ARROW_VERSION,
            server_version = env!("CARGO_PKG_VERSION"),
            json.config = %json_summary,
            "server_startup"
        );
        let registry = Arc::new(self.into_registry()?);
        let tls = server.tls.as_ref().map(net::tls::acceptor).transpose()?;
        let location = net::location(&server.advertise, tls.is_some());

        let (phase, phases) = watch::channel(Phase::Starting);
        let pulses = [Pulse::new("flight"), Pulse::new("tasks")];
        if let Some(address) = &server.health {
            let (listener, _) = net::listen::bind(address, net::listen::HEALTH).await?;
            let health = Health::new(phases.clone(), pulses.to_vec());
            admin::serve(listener, health).map_err(StartError::Health)?;
            tracing::info!(host = address.host, port = address.port, "health_check_started");
        }
        let (listener, address) = net::listen::bind(&server.listen, net::listen::FLIGHT).await?;
        announce(&server, address, &location);

        let tasks = Tasks::start(Limits {
            threads: server.tasks.threads,
            queue: server.tasks.queue_limit,
            result_ttl: server.tasks.result_ttl,
            call_deadline: flexconnect.call_deadline,
            result_bytes: server
                .tasks
                .result_bytes
                .map_or(1 << 30, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        });
        let authenticator = Authenticator::new(server.authentication);
        let settings = Settings {
            polling_interval: flexconnect.polling_interval,
            credentials_header: authenticator.credentials_header(),
        };
        let advertised = location.clone();
        let flight = FlexConnectService::new(
            Arc::clone(&registry),
            tasks.clone(),
            settings,
            Arc::new(move || advertised.clone()),
        );
        let [flight_pulse, tasks_pulse] = pulses;
        let service = net::stack::stack(FlightServer::new(flight), phases.clone(), authenticator);
        let accepting = tokio::spawn(net::accept::serve(listener, tls, service, phases, flight_pulse));
        let accepting = AbortOnDropHandle::new(accepting);
        let beating = AbortOnDropHandle::new(tokio::spawn(beat(tasks.clone(), tasks_pulse)));

        registry.load(&LoadContext::new(tables, location.clone())).await?;
        let functions = registry.iter().map(|function| function.name()).collect::<Vec<_>>();
        if functions.is_empty() {
            tracing::warn!("no_functions_registered");
        }
        let json_functions = serde_json::Value::from(functions);
        phase.send_replace(Phase::Serving);
        tracing::info!(json.functions = %json_functions, "rpc_enabled");
        Ok(Running {
            address,
            location,
            phase,
            tasks,
            drain: server.drain,
            accepting,
            _beating: beating,
        })
    }
}

/// A server that serves. Dropping it closes the Flight port and cuts calls off; [`Running::drain`] ends it in order.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    location: String,
    phase: watch::Sender<Phase>,
    tasks: Tasks,
    drain: DrainSettings,
    accepting: AbortOnDropHandle<()>,
    _beating: AbortOnDropHandle<()>,
}

impl Running {
    /// The address that Flight listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients are sent for results.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// Ends the server in order: serves until the news has spread, finishes what runs, lets results be read. Returns
    /// what was still pending when the time was up; idle, normally.
    pub async fn drain(self) -> Load {
        tracing::info!("server_shutdown_initiated");
        let left = drain::drain(&self.phase, &self.tasks, self.drain).await;
        if !left.is_idle() {
            let Load {
                queued,
                running,
                unread_results,
                streams,
                last_call: _,
            } = left;
            tracing::warn!(queued, running, unread_results, streams, "drain_timed_out");
        }
        // It ends by itself, since the phase is `Stopped`.
        let _ = self.accepting.await;
        tracing::info!("server_main_finished");
        left
    }
}

/// The tasks live when their locks can be taken and the runtime gets round to it.
async fn beat(tasks: Tasks, pulse: Pulse) {
    let mut beat = interval(Pulse::INTERVAL);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let _ = tasks.load();
        pulse.beat();
    }
}

/// Says where the server is, and what about that is doubtful.
fn announce(server: &ServerSection, address: SocketAddr, location: &str) {
    let tls = server.tls.is_some();
    let listen_url = format!("{}://{address}", if tls { "grpc+tls" } else { "grpc" });
    tracing::info!(listen_url, client_url = location, tls, "flight_service_start");
    if server.advertises_own_name {
        let host = &server.advertise.host;
        let advice = "set server.advertise_host to a name that clients can reach";
        tracing::warn!(host, advice, "advertise_host_not_set");
    }
    let mutual = server.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some());
    if matches!(server.authentication, Authentication::None) && !address.ip().is_loopback() && !mutual {
        let advice = "everybody who reaches the port may call: set server.authentication_method = \"token\"";
        tracing::warn!(listen_url, advice, "insecure_warning");
    }
}

/// The effective configuration for the log, without secrets.
fn summary(server: &ServerSection, call_deadline: Duration, polling_interval: Duration) -> serde_json::Value {
    serde_json::json!({
        "listen": server.listen.to_string(),
        "advertise": server.advertise.to_string(),
        "use_tls": server.tls.is_some(),
        "use_mtls": server.tls.as_ref().is_some_and(|tls| tls.client_authority.is_some()),
        "authentication_method": match &server.authentication {
            Authentication::None => "none",
            Authentication::Token { .. } => "token",
        },
        "health_check": server.health.as_ref().map(ToString::to_string),
        "task_threads": server.tasks.threads,
        "task_queue_limit": server.tasks.queue_limit,
        "task_result_ttl_sec": server.tasks.result_ttl.as_secs(),
        "task_result_bytes": server.tasks.result_bytes,
        "lame_duck_sec": server.drain.lame_duck.as_secs(),
        "propagation_delay_sec": server.drain.propagation_delay.as_secs(),
        "drain_timeout_sec": server.drain.timeout.as_secs(),
        "call_deadline_ms": u64::try_from(call_deadline.as_millis()).unwrap_or(u64::MAX),
        "polling_interval_ms": u64::try_from(polling_interval.as_millis()).unwrap_or(u64::MAX),
    })
}
