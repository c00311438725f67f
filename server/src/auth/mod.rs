//! Who may call: the verifier trait and its implementations, and the check that every call passes.

mod enumerated;
mod header;
mod identity;
mod jwt;
mod verifier;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use http::header::{AUTHORIZATION, HeaderName, PROXY_AUTHORIZATION};
use http::request::Parts;
use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::server::TcpConnectInfo;

pub use enumerated::EnumeratedTokens;
pub use identity::{AlternativeName, ClientCertificate, Identity, Method};
pub use jwt::JwksError;
#[cfg(feature = "fuzzing")]
pub(crate) use jwt::fuzz_jwt;
pub use verifier::{Attempt, Refusal, Verifier};

use crate::config::{Authentication, Origin, TokenHeader, TokenVerification};
use crate::error::{FlightError, FlightKind};
use crate::reload;
use crate::telemetry::metrics::{AuthFailure, Reloaded};
use crate::telemetry::{Metrics, RateLimit};
use jwt::JwtVerifier;

/// Callers that were refused and are logged a second: anybody can make such calls.
const LOGGED_FAILURES: u32 = 10;

/// The door of the fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_token(header: &TokenHeader, headers: &http::HeaderMap) {
    if let Ok(token) = header::token(header, headers) {
        assert_eq!(token, token.trim(), "blanks around a token");
    }
}

/// Authenticates calls. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Authenticator(Arc<Check>);

struct Check {
    tokens: Option<Tokens>,
    /// Whether methods and functions see the headers with the caller's credentials.
    pass_credentials: bool,
    metrics: Metrics,
    failures: RateLimit,
    _following: Option<AbortOnDropHandle<()>>,
}

/// Where tokens are found, and who decides about them.
struct Tokens {
    header: TokenHeader,
    verifier: Arc<dyn Verifier>,
}

/// Verifiers that are no part of this module.
#[derive(Default)]
pub(crate) struct Brought {
    /// The program's own.
    pub(crate) by_program: Option<Arc<dyn Verifier>>,
    /// The strategy of a module in Python.
    pub(crate) by_workers: Option<Arc<dyn Verifier>>,
}

/// Why there is nobody to decide about tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The keys of JSON web tokens cannot be read.
    #[error("JSON web tokens cannot be verified")]
    Jwks(#[from] JwksError),
    /// `server.token_verification` asks for a verifier of the program's own.
    #[error(
        "server.token_verification is CustomVerification, and the program brings no verifier; \
         give it one with Server::builder().verifier(…), or choose another"
    )]
    NoVerifier,
    /// The program's own verifier would decide about nothing.
    #[error(
        "the program brings a verifier that nobody would ask; set server.authentication_method to \"token\", \
         and server.token_verification to \"CustomVerification\""
    )]
    VerifierUnused,
}

/// Whether callers could be told apart with this configuration. Files are read; an issuer elsewhere is not asked.
pub(crate) async fn check(authentication: &Authentication, brings_verifier: bool) -> Result<(), AuthError> {
    agree(authentication, brings_verifier)?;
    if let Authentication::Token {
        verification: TokenVerification::Jwt(settings),
        ..
    } = authentication
    {
        jwt::check(settings).await?;
    }
    Ok(())
}

/// A verifier of the program's own is there if, and only if, the configuration asks for it.
fn agree(authentication: &Authentication, brings_verifier: bool) -> Result<(), AuthError> {
    let asks_for_it = matches!(
        authentication,
        Authentication::Token {
            verification: TokenVerification::Custom,
            ..
        }
    );
    match (asks_for_it, brings_verifier) {
        (true, false) => Err(AuthError::NoVerifier),
        (false, true) => Err(AuthError::VerifierUnused),
        (true, true) | (false, false) => Ok(()),
    }
}

impl Authenticator {
    /// What the configuration asks for. Listed tokens follow `origin`, the keys of JSON web tokens their own source.
    pub(crate) async fn start(
        authentication: Authentication,
        pass_credentials: bool,
        brought: Brought,
        origin: Origin,
        metrics: Metrics,
    ) -> Result<Self, AuthError> {
        let Brought { by_program, by_workers } = brought;
        agree(&authentication, by_program.is_some())?;
        let mut following = None;
        let tokens = match authentication {
            Authentication::None => None,
            Authentication::Token { header, verification } => {
                let verifier: Arc<dyn Verifier> = match verification {
                    TokenVerification::Enumerated(tokens) => {
                        let list = Arc::new(EnumeratedTokens::new(&tokens));
                        let follow = follow_tokens(tokens, origin, Arc::clone(&list), metrics.clone());
                        following = Some(AbortOnDropHandle::new(tokio::spawn(follow)));
                        list
                    }
                    TokenVerification::Jwt(settings) => Arc::new(JwtVerifier::start(&settings, metrics.clone()).await?),
                    TokenVerification::Custom => by_program.ok_or(AuthError::NoVerifier)?,
                    TokenVerification::Python(_) => by_workers.ok_or(AuthError::NoVerifier)?,
                };
                Some(Tokens { header, verifier })
            }
        };
        Ok(Self(Arc::new(Check {
            tokens,
            pass_credentials,
            metrics,
            failures: RateLimit::new(LOGGED_FAILURES),
            _following: following,
        })))
    }

    /// An authenticator that asks this verifier.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn asking(verifier: impl Verifier, header: TokenHeader) -> Self {
        Self(Arc::new(Check {
            tokens: Some(Tokens {
                header,
                verifier: Arc::new(verifier),
            }),
            pass_credentials: false,
            metrics: Metrics::new(),
            failures: RateLimit::new(LOGGED_FAILURES),
            _following: None,
        }))
    }

    /// Lets a call pass, with the [`Identity`] of its caller among the extensions, or says why not. Unless credentials are
    /// passed on, their headers are taken off.
    pub(crate) async fn admit(&self, call: &mut Parts) -> Result<(), FlightError> {
        let identity = match self.0.identify(call).await {
            Ok(identity) => identity,
            Err((refusal, failure)) => {
                self.0.metrics.authentication_failed(failure);
                if let Some(suppressed) = self.0.failures.admit() {
                    let suppressed = (suppressed > 0).then_some(suppressed);
                    tracing::info!(reason = refusal.reason(), suppressed, "authentication_failed");
                }
                return Err(refusal.into_answer());
            }
        };
        if !self.0.pass_credentials {
            for header in self.0.credentials() {
                call.headers.remove(header);
            }
        }
        call.extensions.insert(identity);
        Ok(())
    }
}

impl Check {
    async fn identify(&self, call: &Parts) -> Result<Identity, (Refusal, AuthFailure)> {
        let certificate = call.extensions.get::<Arc<ClientCertificate>>();
        let Some(Tokens { header, verifier }) = &self.tokens else {
            return Ok(Identity::of_connection(certificate.cloned()));
        };
        let token = header::token(header, &call.headers)
            .map_err(|none| (FlightError::unauthenticated(none.to_string()).into(), none.failure()))?;
        let attempt = Attempt {
            token,
            method: call.uri.path(),
            headers: &call.headers,
            peer: call
                .extensions
                .get::<TcpConnectInfo>()
                .and_then(TcpConnectInfo::remote_addr),
            certificate,
        };
        match AssertUnwindSafe(verifier.verify(&attempt)).catch_unwind().await {
            Ok(Ok(identity)) => Ok(Identity {
                certificate: certificate.cloned().or(identity.certificate),
                ..identity
            }),
            Ok(Err(refusal)) => {
                let failure = refusal.failure();
                Err((refusal, failure))
            }
            Err(_) => {
                let message = "The token could not be verified because of an error in the server.";
                let answer = FlightError::Plain {
                    kind: FlightKind::Internal,
                    message: message.to_owned(),
                };
                Err((
                    Refusal::new(answer).because("the verifier panicked"),
                    AuthFailure::Unverifiable,
                ))
            }
        }
    }

    /// The headers with credentials, whoever looks at them.
    fn credentials(&self) -> impl Iterator<Item = &HeaderName> {
        let own = match &self.tokens {
            Some(Tokens {
                header: TokenHeader::Custom { name, .. },
                ..
            }) => Some(name),
            Some(Tokens {
                header: TokenHeader::Bearer,
                ..
            })
            | None => None,
        };
        [&AUTHORIZATION, &PROXY_AUTHORIZATION].into_iter().chain(own)
    }
}

/// Exchanges the list when its files change. A configuration that has become wrong, or that lists no token any more,
/// leaves the last good list.
async fn follow_tokens(tokens: Vec<SecretString>, origin: Origin, list: Arc<EnumeratedTokens>, metrics: Metrics) {
    let now = Listed(Ok(Some(tokens)));
    let read = move || Listed(origin.tokens().map_err(|mistakes| mistakes.to_string()));
    reload::follow(now, read, |listed| {
        let problem = match &listed.0 {
            Ok(Some(tokens)) => {
                list.replace(tokens);
                metrics.reloaded(Reloaded::Tokens, true);
                tracing::info!(tokens = tokens.len(), "tokens_reloaded");
                return;
            }
            Ok(None) => "the configuration asks for no list of tokens any more",
            Err(problem) => problem,
        };
        metrics.reloaded(Reloaded::Tokens, false);
        let advice = "the earlier tokens hold until the files are right";
        tracing::error!(problem, advice, "tokens_not_reloaded");
    })
    .await;
}

/// What the files list at one time.
struct Listed(Result<Option<Vec<SecretString>>, String>);

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        use secrecy::ExposeSecret as _;
        fn texts(tokens: &[SecretString]) -> impl Iterator<Item = &str> {
            tokens.iter().map(SecretString::expose_secret)
        }
        match (&self.0, &other.0) {
            (Ok(Some(a)), Ok(Some(b))) => texts(a).eq(texts(b)),
            (Ok(None), Ok(None)) => true,
            (Err(a), Err(b)) => a == b,
            (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("header", &self.0.tokens.as_ref().map(|tokens| &tokens.header))
            .field("pass_credentials", &self.0.pass_credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
