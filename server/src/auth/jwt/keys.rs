//! The public keys of an issuer: parsed from a JSON web key set, found by what a token says, kept fresh.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::check::Reject;
use super::source::{JwksError, Source};
use crate::config::KeySet as Place;
use crate::reload;
use crate::telemetry::metrics::Reloaded;
use crate::telemetry::{Metrics, chain};

/// Keys of a set beyond these are not looked at.
const MAX_KEYS: usize = 256;

/// The pause after a token with an unknown key made the server read the set, until another may.
const PAUSE: Duration = Duration::from_secs(10);

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// The usable keys of a set.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

impl KeySet {
    /// Reads a JSON web key set (RFC 7517). Keys for other purposes and of kinds that are not allowed are skipped, and so
    /// are symmetric ones: what is published is no secret.
    pub(super) fn parse(text: &[u8], allowed: &HashSet<Algorithm>) -> Result<Self, JwksError> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(text).map_err(JwksError::Malformed)?;
        let keys: Vec<Key> = document
            .keys
            .into_iter()
            .take(MAX_KEYS)
            .filter_map(|key| Key::read(key, allowed))
            .collect();
        if keys.is_empty() {
            return Err(JwksError::NoUsableKey);
        }
        Ok(Self(keys))
    }

    /// The key that a token says it is signed by. A token need not name it when only one could have signed.
    pub(super) fn find(&self, header: &Header) -> Result<DecodingKey, Reject> {
        let mut fitting = self.0.iter().filter(|key| key.algorithms.contains(&header.alg));
        let key = match &header.kid {
            Some(id) => fitting
                .find(|key| key.id.as_deref() == Some(id))
                .ok_or(Reject::UnknownKey)?,
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => only,
                (None, _) => return Err(Reject::UnknownKey),
                (Some(_), Some(_)) => return Err(Reject::NoKeyNamed),
            },
        };
        Ok(key.decoding.clone())
    }
}

impl Key {
    fn read(value: Value, allowed: &HashSet<Algorithm>) -> Option<Self> {
        let key: Jwk = serde_json::from_value(value).ok()?;
        if !matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let of_kind = match &key.algorithm {
            AlgorithmParameters::RSA(_) => RSA,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
            _ => return None,
        };
        let meant = |algorithm: &Algorithm| {
            key.common
                .key_algorithm
                .is_none_or(|meant| meant == KeyAlgorithm::from(*algorithm))
        };
        let algorithms: Vec<_> = of_kind
            .iter()
            .filter(|algorithm| allowed.contains(*algorithm) && meant(algorithm))
            .copied()
            .collect();
        if algorithms.is_empty() {
            return None;
        }
        Some(Self {
            decoding: DecodingKey::from_jwk(&key).ok()?,
            id: key.common.key_id,
            algorithms,
        })
    }
}

/// The keys as they are now. When they cannot be read again, the last ones stay.
#[derive(Debug)]
pub(super) struct Keys {
    source: Source,
    allowed: HashSet<Algorithm>,
    current: ArcSwapOption<KeySet>,
    metrics: Metrics,
    /// When keys were read for the last time, with or without success. Locked while they are read.
    read: Arc<Mutex<Option<Instant>>>,
}

impl Keys {
    /// Reads the keys for the first time. That an issuer does not answer is no error yet.
    pub(super) async fn open(place: &Place, allowed: HashSet<Algorithm>, metrics: Metrics) -> Result<Self, JwksError> {
        let keys = Self {
            source: Source::new(place)?,
            allowed,
            current: ArcSwapOption::empty(),
            metrics,
            read: Arc::default(),
        };
        match keys.read().await {
            Err(error) if matches!(place, Place::File(_)) => Err(error),
            Ok(()) | Err(_) => Ok(keys),
        }
    }

    /// The keys that hold now.
    pub(super) fn current(&self) -> Result<Arc<KeySet>, Reject> {
        self.current.load_full().ok_or(Reject::NoKeys)
    }

    /// Reads the keys now, unless that was done a moment ago; callers that come meanwhile wait for the same answer.
    pub(super) async fn look_again(self: &Arc<Self>) {
        let mut read = Arc::clone(&self.read).lock_owned().await;
        if read.is_some_and(|read| read.elapsed() < PAUSE) {
            return;
        }
        let keys = Arc::clone(self);
        // A caller that leaves must not take the attempt along: whoever comes and leaves in a loop would have the issuer
        // asked as often.
        let looking = tokio::spawn(async move {
            let _ = keys.fetch().await;
            *read = Some(Instant::now());
        });
        let _ = looking.await;
    }

    /// Lets the next call of [`Self::look_again`] look at once.
    #[cfg(test)]
    pub(super) async fn forget_when(&self) {
        *self.read.lock().await = None;
    }

    /// Keeps the keys fresh: a file is followed, an issuer is asked every `period`.
    pub(super) async fn keep_fresh(self: Arc<Self>, period: Duration) {
        match self.source {
            Source::File(_) => self.follow().await,
            Source::Url { .. } => self.ask_again(period).await,
        }
    }

    /// Takes the keys of a file soon after it changed: one that is taken out of it is not to be trusted any longer.
    async fn follow(&self) {
        let mut told = Some(Vec::new());
        loop {
            sleep(reload::PERIOD).await;
            let seen = self.source.read().await;
            if seen.as_ref().ok() != told.as_ref() {
                told = seen.as_ref().ok().cloned();
                let _ = self.take(seen);
            }
        }
    }

    /// Reads the keys every `period`; sooner after a failure, each pause twice as long as the one before.
    async fn ask_again(&self, period: Duration) {
        let mut pause = period;
        if self.current.load().is_none() {
            pause = PAUSE.min(period);
        }
        loop {
            sleep(pause).await;
            pause = match self.read().await {
                Ok(()) => period,
                Err(_) if pause >= period => PAUSE.min(period),
                Err(_) => (pause * 2).min(period),
            };
        }
    }

    async fn read(&self) -> Result<(), JwksError> {
        let mut read = self.read.lock().await;
        let outcome = self.fetch().await;
        *read = Some(Instant::now());
        outcome
    }

    async fn fetch(&self) -> Result<(), JwksError> {
        self.take(self.source.read().await)
    }

    /// Exchanges the keys for those of this text.
    fn take(&self, text: Result<Vec<u8>, JwksError>) -> Result<(), JwksError> {
        match text.and_then(|text| KeySet::parse(&text, &self.allowed)) {
            Ok(keys) => {
                tracing::debug!(source = %self.source, keys = keys.0.len(), "jwks_read");
                self.current.store(Some(Arc::new(keys)));
                self.metrics.reloaded(Reloaded::Jwks, true);
                Ok(())
            }
            Err(error) => {
                self.metrics.reloaded(Reloaded::Jwks, false);
                let kept = self.current.load().is_some();
                tracing::warn!(source = %self.source, error = %chain(&error), kept, "jwks_not_read");
                Err(error)
            }
        }
    }
}
