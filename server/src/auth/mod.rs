//! Who may call: the verifier trait and its implementations, and the check that every call passes.

mod enumerated;
mod header;

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;

pub use enumerated::EnumeratedTokens;

use crate::config::{Authentication, TokenHeader, TokenVerification};
use crate::error::FlightError;

/// Decides whether a token is good.
#[async_trait]
pub trait Verifier: Send + Sync + 'static {
    /// Accepts the token, or says why not: [`FlightError::unauthenticated`], [`FlightError::unauthorized`], or what
    /// else the caller should see.
    async fn verify(&self, token: &str) -> Result<(), FlightError>;
}

/// Authenticates calls by their headers.
#[derive(Clone)]
pub enum Authenticator {
    /// Everybody may call.
    Nobody,
    /// The token in a header is verified.
    Token {
        /// Which header, and how it carries the token.
        header: TokenHeader,
        /// Who decides.
        verifier: Arc<dyn Verifier>,
    },
}

impl Authenticator {
    /// What the configuration asks for.
    #[must_use]
    pub fn new(authentication: Authentication) -> Self {
        match authentication {
            Authentication::None => Self::Nobody,
            Authentication::Token { header, verification } => Self::Token {
                header,
                verifier: Arc::new(match verification {
                    TokenVerification::Enumerated(tokens) => EnumeratedTokens::new(tokens),
                    TokenVerification::Jwt(_) | TokenVerification::Custom => EnumeratedTokens::new(Vec::new()),
                }),
            },
        }
    }

    /// The header with the caller's credentials, when it is not `authorization`.
    #[must_use]
    pub fn credentials_header(&self) -> Option<String> {
        match self {
            Self::Nobody
            | Self::Token {
                header: TokenHeader::Bearer,
                ..
            } => None,
            Self::Token {
                header: TokenHeader::Custom { name, .. },
                ..
            } => Some(name.as_str().to_owned()),
        }
    }

    /// Lets a call pass, or says why not.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<(), FlightError> {
        match self {
            Self::Nobody => Ok(()),
            Self::Token { header, verifier } => match header::token(header, headers) {
                Ok(token) => verifier.verify(token).await,
                Err(refusal) => Err(FlightError::unauthenticated(refusal.to_string())),
            },
        }
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nobody => f.write_str("Nobody"),
            Self::Token { header, .. } => f.debug_struct("Token").field("header", header).finish_non_exhaustive(),
        }
    }
}
