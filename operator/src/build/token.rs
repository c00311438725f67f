//! The Secret with the token that callers present, and with those that the servers accept. It holds where a rotation is,
//! too, so that any operator can go on from there.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use secrecy::ExposeSecret as _;

use super::config::TOKENS_KEY;
use super::{metadata, text_of};
use crate::fleet::{Auth, ValidatedFleet};
use crate::token::{State, Tokens, Wanted};

/// What callers are given.
pub(super) const TOKEN_KEY: &str = "token";
/// What they will be given, once every replica accepts it.
const NEXT_KEY: &str = "next";
/// What some of them may have still.
const PREVIOUS_KEY: &str = "previous";
/// When they were given their token.
const ROTATED_AT: &str = "flexconnect.dev/rotated-at";

/// The Secret after a look at what the fleet wants; None when callers need no token.
pub(super) fn token(fleet: &ValidatedFleet, kept: Option<&Secret>, now: Timestamp) -> Option<Secret> {
    let wanted = match &fleet.auth {
        Auth::None => return None,
        Auth::Generated { every } => Wanted::Generated { every: *every },
        Auth::Given(token) => Wanted::Given(token.expose_secret()),
    };
    // The time is kept in whole seconds: what is made now has to equal what is read back later.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    let kept = kept.and_then(|secret| read(secret, now));
    let random = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    Some(secret(fleet, &Tokens::plan(kept, wanted, now, random)))
}

/// The tokens in a Secret; None when callers could not be given any. A time that is missing or garbled is `now`.
#[must_use]
pub fn read(secret: &Secret, now: Timestamp) -> Option<Tokens> {
    let text = |key| text_of(secret, key).filter(|text| !text.is_empty()).map(str::to_owned);
    let token = text(TOKEN_KEY)?;
    let state = match (text(NEXT_KEY), text(PREVIOUS_KEY)) {
        (Some(next), _) => State::Introduced { token, next },
        (None, Some(previous)) => State::Switched { token, previous },
        (None, None) => State::Settled { token },
    };
    let annotations = secret.metadata.annotations.as_ref();
    let rotated_at = annotations.and_then(|annotations| annotations.get(ROTATED_AT)?.parse().ok());
    Some(Tokens {
        state,
        rotated_at: rotated_at.unwrap_or(now),
    })
}

/// The Secret that holds these tokens.
#[must_use]
pub fn secret(fleet: &ValidatedFleet, tokens: &Tokens) -> Secret {
    let accepted = tokens
        .accepted_by_servers()
        .into_iter()
        .map(toml::Value::from)
        .collect();
    let accepted = toml::Table::from_iter([("tokens".to_owned(), toml::Value::Array(accepted))]);
    let accepted = toml::Table::from_iter([("enumerated_tokens".to_owned(), accepted.into())]);
    let mut data = BTreeMap::from([
        (TOKEN_KEY, tokens.token().to_owned()),
        (TOKENS_KEY, accepted.to_string()),
    ]);
    match &tokens.state {
        State::Settled { .. } => {}
        State::Introduced { next, .. } => drop(data.insert(NEXT_KEY, next.clone())),
        State::Switched { previous, .. } => drop(data.insert(PREVIOUS_KEY, previous.clone())),
    }
    let data = data
        .into_iter()
        .map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())));
    let mut metadata = metadata(fleet, fleet.name.token_secret());
    metadata.annotations = Some(BTreeMap::from([(ROTATED_AT.to_owned(), tokens.rotated_at.to_string())]));
    Secret {
        metadata,
        type_: Some("Opaque".to_owned()),
        data: Some(data.collect()),
        ..Secret::default()
    }
}
