//! JSON web tokens: signed by an issuer whose public keys are known, for this audience, within their time.

mod check;
mod keys;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::decode_header;
use tokio_util::task::AbortOnDropHandle;

use check::{Reject, Rules};
use keys::Keys;
pub use source::JwksError;

use super::{Attempt, Identity, Method, Refusal, Verifier};
use crate::config::JwtSettings;
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::telemetry::Metrics;

/// Accepts JSON web tokens.
#[derive(Debug)]
pub(super) struct JwtVerifier {
    rules: Rules,
    keys: Arc<Keys>,
    _refreshing: AbortOnDropHandle<()>,
}

impl JwtVerifier {
    /// Reads the keys for the first time, and keeps them fresh. A file must be there; an issuer that does not answer is
    /// asked again, and until then calls are answered with `NOT_READY`.
    pub(super) async fn start(settings: &JwtSettings, metrics: Metrics) -> Result<Self, JwksError> {
        let rules = Rules::new(settings);
        let keys = Arc::new(Keys::open(&settings.keys, rules.algorithms(), metrics).await?);
        let refreshing = tokio::spawn(Arc::clone(&keys).keep_fresh(settings.refresh));
        Ok(Self {
            rules,
            keys,
            _refreshing: AbortOnDropHandle::new(refreshing),
        })
    }

    async fn identify(&self, token: &str) -> Result<Identity, Reject> {
        let header = decode_header(token).map_err(|_| Reject::Malformed)?;
        self.rules.admit(&header)?;
        let key = match self.keys.find(&header) {
            // The issuer may sign with a new key before the next refresh.
            Err(Reject::UnknownKey) => {
                self.keys.look_again().await;
                self.keys.find(&header)?
            }
            found => found?,
        };
        let claims = self.rules.check(token, header.alg, &key)?;
        let subject = claims.get("sub").and_then(serde_json::Value::as_str).map(Arc::from);
        Ok(Identity {
            subject,
            method: Method::Jwt(Arc::new(claims)),
            certificate: None,
        })
    }
}

#[async_trait]
impl Verifier for JwtVerifier {
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
        self.identify(attempt.token).await.map_err(|reject| refuse(&reject))
    }
}

/// Callers learn that a token has expired, since that is theirs to change; the log has the rest.
fn refuse(reject: &Reject) -> Refusal {
    let expired = matches!(reject, Reject::Expired | Reject::NotYet);
    let answer = match reject {
        Reject::Expired => FlightError::unauthenticated("Authentication token has expired."),
        Reject::NoKeys => FlightError::new(
            FlightKind::Unavailable,
            ErrorInfo::new(
                ErrorCode::NOT_READY,
                "The keys that verify tokens are not known yet. Try again later.",
            ),
        ),
        Reject::Malformed
        | Reject::Algorithm
        | Reject::Critical
        | Reject::UnknownKey
        | Reject::NoKeyNamed
        | Reject::NotYet
        | Reject::Claims(_) => FlightError::unauthenticated("Authentication token is not valid."),
    };
    let refusal = Refusal::new(answer).because(reject.to_string());
    if expired { refusal.expired() } else { refusal }
}

#[cfg(test)]
mod tests;
