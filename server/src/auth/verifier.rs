//! The trait by which services decide about tokens.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;

use super::{ClientCertificate, Identity};
use crate::error::{FlightError, FlightKind};
use crate::telemetry::metrics::AuthFailure;

/// Decides whether a token is good, and whose it is.
///
/// One verifier lives as long as its server, and is asked for every call, many at a time: it keeps what it learns in
/// memory, and reads nothing slow on its way. A caller waits for it; when the caller leaves, the future is dropped.
///
/// ```
/// use flexconnect_server::async_trait;
/// use flexconnect_server::auth::{Attempt, Identity, Refusal, Verifier};
/// use flexconnect_server::error::FlightError;
///
/// struct Tenants;
///
/// #[async_trait]
/// impl Verifier for Tenants {
///     async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
///         match attempt.token.split_once(':') {
///             Some((tenant, "open sesame")) => Ok(Identity::named(tenant)),
///             Some((_, _)) => Err(FlightError::unauthenticated("The password is wrong.").into()),
///             None => Err(Refusal::new(FlightError::unauthenticated("Authentication token is not valid."))
///                 .because("no colon in the token")),
///         }
///     }
/// }
/// ```
#[async_trait]
pub trait Verifier: Send + Sync + 'static {
    /// Says who the caller is, or why it may not call. A panic is answered as an internal error.
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal>;
}

/// A call that asks to pass: its token, and the circumstances.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The token, without `Bearer ` and blanks around it; may be empty.
    pub token: &'a str,
    /// The gRPC method, as in `/arrow.flight.protocol.FlightService/DoGet`.
    pub method: &'a str,
    /// All headers of the call, the token's included.
    pub headers: &'a HeaderMap,
    /// The address of the caller, or of the proxy before it.
    pub peer: Option<SocketAddr>,
    /// What the client showed on its connection, with mutual TLS.
    pub certificate: Option<&'a Arc<ClientCertificate>>,
}

/// Headers and token are left out.
impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("method", &self.method)
            .field("peer", &self.peer)
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// Why a call may not pass: what the caller is told, and what the log says beside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub struct Refusal {
    answer: FlightError,
    reason: Option<String>,
    expired: bool,
}

impl Refusal {
    /// Answers the call with this error: [`FlightError::unauthenticated`], [`FlightError::unauthorized`], or what else
    /// the caller should see.
    #[must_use]
    pub fn new(answer: FlightError) -> Self {
        Self {
            answer,
            reason: None,
            expired: false,
        }
    }

    /// The token was good once, or will be: a refusal of its own in the metrics.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    /// Adds what only the log says: enough to find the cause, nothing of the token.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// What the log says.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_else(|| self.answer.message())
    }

    /// How it is counted.
    pub(super) fn failure(&self) -> AuthFailure {
        match self.answer.kind() {
            _ if self.expired => AuthFailure::Expired,
            Some(FlightKind::Unauthenticated) => AuthFailure::Rejected,
            Some(FlightKind::Unauthorized) => AuthFailure::Forbidden,
            Some(
                FlightKind::Server
                | FlightKind::Internal
                | FlightKind::TimedOut
                | FlightKind::Cancelled
                | FlightKind::Unavailable,
            )
            | None => AuthFailure::Unverifiable,
        }
    }

    /// What the caller is told.
    #[must_use]
    pub fn into_answer(self) -> FlightError {
        self.answer
    }
}

impl From<FlightError> for Refusal {
    fn from(answer: FlightError) -> Self {
        Self::new(answer)
    }
}
