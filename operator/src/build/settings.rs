//! Settings that came from Secrets, in a Secret of the fleet's own: pods mount none of the user's.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::config::SETTINGS_KEY;
use super::{metadata, text_of};
use crate::digest::sha256;
use crate::fleet::ValidatedFleet;

/// Random bits that make the digest of the settings worthless to whoever guesses what is in them.
const SALT_KEY: &str = "salt";

/// The Secret with the settings; None when there are none.
pub(super) fn secret(fleet: &ValidatedFleet, kept: Option<&Secret>) -> Option<Secret> {
    let settings = fleet.secret_settings.as_ref()?;
    let salt = kept
        .and_then(|secret| text_of(secret, SALT_KEY))
        .filter(|salt| !salt.is_empty())
        .map_or_else(|| URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()), str::to_owned);
    let data = [(SETTINGS_KEY, settings.expose().to_string()), (SALT_KEY, salt)];
    Some(Secret {
        metadata: metadata(fleet, fleet.name.settings_secret()),
        type_: Some("Opaque".to_owned()),
        data: Some(BTreeMap::from(
            data.map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes()))),
        )),
        ..Secret::default()
    })
}

/// What changes when a server has to read the settings again. Tells nothing about them.
pub(super) fn digest(secret: &Secret) -> String {
    sha256([SALT_KEY, SETTINGS_KEY].map(|key| text_of(secret, key).unwrap_or_default().as_bytes()))
}
