//! What a program serves, said before it starts.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::StartError;
use crate::auth::Verifier;
use crate::config::Tables;
use crate::flight::{FlightMethods, ServerContext};
use crate::function::{FlexConnectFunction, FunctionError, Registry, RegistryBuilder};

/// What a server serves, before it starts.
///
/// [`crate::cli::run`] makes a program of it; [`Server::start`] starts it within another one.
#[derive(Debug)]
pub struct Server {
    pub(super) serves: Serves,
    pub(super) verifier: MakeVerifier,
}

/// Functions, or a service of one's own.
pub(super) enum Serves {
    Functions(RegistryBuilder),
    Methods(Factory),
}

/// Makes the methods of a service once the server has what they need.
pub(super) type Factory = Box<
    dyn FnOnce(ServerContext) -> BoxFuture<'static, Result<Arc<dyn FlightMethods>, FunctionError>> + Send + 'static,
>;

/// Makes the verifier of a program, where it brings one.
#[derive(Default)]
pub(super) struct MakeVerifier(Option<Make>);

type Make = Box<dyn FnOnce(&Tables) -> Result<Arc<dyn Verifier>, FunctionError> + Send>;

impl MakeVerifier {
    pub(super) const fn is_there(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn make(self, settings: &Tables) -> Result<Option<Arc<dyn Verifier>>, StartError> {
        let made = self.0.map(|make| make(settings)).transpose();
        made.map_err(StartError::Verifier)
    }
}

impl fmt::Debug for MakeVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MakeVerifier").field(&self.0.is_some()).finish()
    }
}

/// Collects what a [`Server`] serves: functions ([`Server::builder`]), or the Flight methods of a service
/// ([`Server::service`]). A server of both would have to guess whom a call is for, so there is no such builder.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder<S = Functions> {
    serves: S,
    verifier: MakeVerifier,
}

/// What a builder of functions has.
#[derive(Debug, Default)]
pub struct Functions(RegistryBuilder);

/// What a builder of a service has.
pub struct Methods(Factory);

impl Server {
    /// A server of FlexConnect functions, without any so far.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            serves: Functions::default(),
            verifier: MakeVerifier::default(),
        }
    }

    /// A server of the Flight methods of a service. `make` is called while the server starts: it reads its settings from
    /// the context, and keeps it to run tasks. Until it is done, clients are answered with `NOT_READY`; an error, or a
    /// panic, stops the start.
    ///
    /// ```
    /// use flexconnect_server::flight::FlightMethods;
    /// use flexconnect_server::{FunctionError, Server, ServerContext};
    ///
    /// struct Warehouse {
    ///     server: ServerContext,
    ///     region: String,
    /// }
    ///
    /// impl FlightMethods for Warehouse {}
    ///
    /// async fn warehouse(server: ServerContext) -> Result<Warehouse, FunctionError> {
    ///     let region = server.settings().get("warehouse.region")?.unwrap_or_else(|| "eu".to_owned());
    ///     Ok(Warehouse { server, region })
    /// }
    ///
    /// let server = Server::service(warehouse).build();
    /// ```
    pub fn service<M, Made>(make: impl FnOnce(ServerContext) -> Made + Send + 'static) -> ServerBuilder<Methods>
    where
        M: FlightMethods,
        Made: Future<Output = Result<M, FunctionError>> + Send + 'static,
    {
        let make = |server| {
            make(server)
                .map(|made| made.map(|methods| Arc::new(methods) as _))
                .boxed()
        };
        ServerBuilder {
            serves: Methods(Box::new(make)),
            verifier: MakeVerifier::default(),
        }
    }

    /// The registry of the functions, not yet loaded.
    ///
    /// # Errors
    /// When a function cannot be served, or the server has Flight methods of its own instead.
    pub(crate) fn into_registry(self) -> Result<Registry, StartError> {
        match self.serves {
            Serves::Functions(functions) => Ok(functions.build()?),
            Serves::Methods(_) => Err(StartError::NoFunctions),
        }
    }
}

impl<S> ServerBuilder<S> {
    /// Brings a verifier that decides about tokens. `make` reads its settings while the server starts; an error stops the
    /// start. The configuration must ask for it: `server.token_verification = "CustomVerification"`.
    pub fn verifier<V: Verifier>(
        mut self,
        make: impl FnOnce(&Tables) -> Result<V, FunctionError> + Send + 'static,
    ) -> Self {
        let make = |settings: &Tables| make(settings).map(|verifier| Arc::new(verifier) as _);
        self.verifier = MakeVerifier(Some(Box::new(make)));
        self
    }
}

impl ServerBuilder<Functions> {
    /// Adds a function. Clients see functions in the order they were added.
    pub fn function<F: FlexConnectFunction>(self, function: F) -> Self {
        let Self { serves, verifier } = self;
        Self {
            serves: Functions(serves.0.function(function)),
            verifier,
        }
    }

    /// The server of these functions. That their names differ is checked when it starts.
    #[must_use]
    pub fn build(self) -> Server {
        let Functions(functions) = self.serves;
        Server {
            serves: Serves::Functions(functions),
            verifier: self.verifier,
        }
    }
}

impl ServerBuilder<Methods> {
    /// The server of this service.
    #[must_use]
    pub fn build(self) -> Server {
        let Methods(make) = self.serves;
        Server {
            serves: Serves::Methods(make),
            verifier: self.verifier,
        }
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Methods").finish_non_exhaustive()
    }
}

impl fmt::Debug for Serves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Functions(functions) => functions.fmt(f),
            Self::Methods(_) => f.debug_struct("Methods").finish_non_exhaustive(),
        }
    }
}
