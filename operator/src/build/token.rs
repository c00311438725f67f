//! The token that callers present: generated once, or copied from the user's Secret.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use secrecy::ExposeSecret as _;

use super::config::TOKENS_KEY;
use super::{metadata, text_of};
use crate::digest::sha256;
use crate::fleet::{Auth, ValidatedFleet};

/// The token itself.
pub(super) const TOKEN_KEY: &str = "token";

/// Random bits that make the digest of a token worthless to whoever guesses tokens.
const SALT_KEY: &str = "salt";

/// The Secret with the token; None when callers need none.
pub(super) fn token(fleet: &ValidatedFleet, kept: Option<&Secret>) -> Option<Secret> {
    let kept_text = |key| {
        kept.and_then(|secret| text_of(secret, key))
            .filter(|text| !text.is_empty())
    };
    let random = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let token = match &fleet.auth {
        Auth::None => return None,
        Auth::Generated => kept_text(TOKEN_KEY).map_or_else(random, str::to_owned),
        Auth::Given(token) => token.expose_secret().to_owned(),
    };
    let salt = kept_text(SALT_KEY).map_or_else(random, str::to_owned);
    let tokens = toml::Table::from_iter([(
        "enumerated_tokens".to_owned(),
        toml::Table::from_iter([("tokens".to_owned(), vec![token.clone()].into())]).into(),
    )]);
    let data = [(TOKEN_KEY, token), (TOKENS_KEY, tokens.to_string()), (SALT_KEY, salt)];
    Some(Secret {
        metadata: metadata(fleet, fleet.name.token_secret()),
        type_: Some("Opaque".to_owned()),
        data: Some(BTreeMap::from(
            data.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))),
        )),
        ..Secret::default()
    })
}

/// What changes when a server has to read the tokens again. Tells nothing about the token.
pub(super) fn digest(secret: &Secret) -> String {
    sha256([SALT_KEY, TOKENS_KEY].map(|key| text_of(secret, key).unwrap_or_default().as_bytes()))
}
