//! JSON web tokens: signed by an issuer whose public keys are known, for this audience, within their time.

mod check;
mod keys;
mod known;
mod source;

use std::sync::Arc;

use async_trait::async_trait;
use jsonwebtoken::{decode_header, get_current_timestamp};
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use check::{Reject, Rules};
use keys::{KeySet, Keys};
use known::KnownTokens;
pub use source::JwksError;
use source::Source;

use super::{Attempt, Identity, Method, Refusal, Verifier};
use crate::config::{JwtSettings, KeySet as Place};
use crate::error::{ErrorCode, ErrorInfo, FlightError, FlightKind};
use crate::telemetry::Metrics;

/// Whether the keys of a file can be used. An issuer elsewhere may be up later, and is not asked.
pub(super) async fn check(settings: &JwtSettings) -> Result<(), JwksError> {
    match &settings.keys {
        Place::Url(_) => Ok(()),
        Place::File(_) => {
            let text = Source::new(&settings.keys)?.read().await?;
            KeySet::parse(&text, &Rules::new(settings).algorithms()).map(drop)
        }
    }
}

/// Accepts JSON web tokens.
#[derive(Debug)]
pub(super) struct JwtVerifier {
    rules: Rules,
    keys: Arc<Keys>,
    known: KnownTokens,
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
            known: KnownTokens::default(),
            _refreshing: AbortOnDropHandle::new(refreshing),
        })
    }

    async fn identify(&self, token: &str) -> Result<Identity, Reject> {
        if let Ok(keys) = self.keys.current()
            && let Some(identity) = self.known.find(token, &keys, get_current_timestamp())
        {
            return Ok(identity);
        }
        let header = decode_header(token).map_err(|_| Reject::Malformed)?;
        self.rules.admit(&header)?;
        let mut keys = self.keys.current()?;
        let key = match keys.find(&header) {
            // The issuer may sign with a new key before the next refresh.
            Err(Reject::UnknownKey) => {
                self.keys.look_again().await;
                keys = self.keys.current()?;
                keys.find(&header)?
            }
            found => found?,
        };
        let claims = self.rules.check(token, header.alg, &key)?;
        let expires = claims.get("exp").and_then(Value::as_u64);
        let identity = Identity {
            subject: claims.get("sub").and_then(Value::as_str).map(Arc::from),
            method: Method::Jwt(Arc::new(claims)),
            certificate: None,
        };
        if let Some(expires) = expires {
            self.known.keep(token, &keys, &identity, expires);
        }
        Ok(identity)
    }
}

#[async_trait]
impl Verifier for JwtVerifier {
    async fn verify(&self, attempt: &Attempt<'_>) -> Result<Identity, Refusal> {
        self.identify(attempt.token).await.map_err(|reject| refuse(&reject))
    }
}

/// The door of the fuzzers: a set of keys, and a token for them. Its seeds are signed by one of their own.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz_jwt(keys: &[u8], token: &str) {
    use jsonwebtoken::Algorithm;
    let rules = Rules::new(&JwtSettings {
        issuer: "https://issuer".to_owned(),
        audience: vec!["sales".to_owned()],
        keys: crate::config::KeySet::File("keys.json".into()),
        algorithms: vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA],
        leeway: std::time::Duration::ZERO,
        refresh: std::time::Duration::MAX,
    });
    let claims = || {
        let keys = keys::KeySet::parse(keys, &rules.algorithms()).ok()?;
        let header = decode_header(token).ok()?;
        rules.admit(&header).ok()?;
        let key = keys.find(&header).ok()?;
        rules.check(token, header.alg, &key).ok()
    };
    if let Some(claims) = claims() {
        assert_eq!(claims["iss"], "https://issuer", "a token of somebody else");
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
